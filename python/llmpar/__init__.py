"""llmpar: model generators and the helpers of the project's tools."""
