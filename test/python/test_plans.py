"""Plans as files: written by `llmpar plan`, edited, compared, replayed, refused when stale, exported."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import numpy
import onnx
import onnx.checker
from onnx import TensorProto, helper, numpy_helper

import support  # noqa: F401  (finds the package)
from llmpar.cli import ROOT

LLMPAR = Path(os.environ.get("LLMPAR_BUILD", ROOT / "build")) / "bin" / "llmpar"
OK, COMPILE, USAGE, MISMATCH = 0, 1, 2, 3
BATCH, WIDTH, HIDDEN, TOKENS = 8, 12, 20, 30
DIMS = ["--dim", f"batch={BATCH}"]
HYBRID = ["--mesh", "dp=2,tp=2", "--layout", "hybrid"]


def make_model(activation: str = "Relu") -> onnx.ModelProto:
    """Embedding, two layers of a column- and a row-parallel product, in float32."""
    draw = numpy.random.default_rng(1)
    weights = {"wte": draw.normal(size=(TOKENS, WIDTH))}
    nodes = [helper.make_node("Gather", ["wte", "ids"], ["h0"], name="embed")]
    for layer in range(2):
        weights[f"h.{layer}.up"] = draw.normal(size=(WIDTH, HIDDEN)) / 4
        weights[f"h.{layer}.down"] = draw.normal(size=(HIDDEN, WIDTH)) / 4
        nodes += [
            helper.make_node("MatMul", [f"h{layer}", f"h.{layer}.up"], [f"u{layer}"], name=f"h.{layer}.up_product"),
            helper.make_node(activation, [f"u{layer}"], [f"a{layer}"], name=f"h.{layer}.act"),
            helper.make_node("MatMul", [f"a{layer}", f"h.{layer}.down"], [f"h{layer + 1}"], name=f"h.{layer}.down_product"),
        ]
    graph = helper.make_graph(
        nodes, "mlp", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("h2", TensorProto.FLOAT, ["batch", WIDTH])],
        [numpy_helper.from_array(value.astype(numpy.float32), name) for name, value in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


class PlansTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.at = Path(cls.folder.name)
        onnx.save(make_model(), cls.at / "mlp.onnx")
        onnx.save(make_model("Sigmoid"), cls.at / "other.onnx")
        numpy.save(cls.at / "ids.npy", numpy.arange(BATCH, dtype=numpy.int64) * 3)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def llmpar(self, *arguments: str, code: int = OK) -> subprocess.CompletedProcess:
        done = subprocess.run([LLMPAR, *arguments], cwd=self.at, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def fails(self, *arguments: str, code: int = COMPILE) -> str:
        return self.llmpar(*arguments, code=code).stderr


class ReplayTest(PlansTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run([LLMPAR, "plan", "mlp.onnx", *DIMS, "--cluster", "cpu-4", "--mesh", "x=2,y=2", "-o", "plan.json"],
                              cwd=cls.at, capture_output=True, text=True, timeout=120)
        assert done.returncode == OK, done.stderr

    def plan(self) -> dict:
        return json.loads((self.at / "plan.json").read_text())

    def edited(self, edit) -> str:
        document = self.plan()
        edit(document["plan"])
        (self.at / "edited.json").write_text(json.dumps(document))
        return "edited.json"

    @staticmethod
    def product(plan: dict, node: str = "h.0.up_product") -> dict:
        return next(op for op in plan["ops"] if op["node"] == node)

    def test_the_document_says_what_was_planned(self):
        plan = self.plan()["plan"]
        self.assertEqual((plan["version"], plan["model"]["name"], plan["cluster"]["name"], plan["method"], plan["mesh"]),
                         (1, "mlp.onnx", "cpu-4", "auto", "x=2,y=2"))
        self.assertEqual([(entry["name"], entry["type"]) for entry in plan["inputs"]], [("ids", f"tensor<{BATCH}xi64>")])
        self.assertEqual({op["node"] for op in plan["ops"]}, {"embed"} | {f"h.{i}.{part}" for i in (0, 1) for part in ("up_product", "act", "down_product")})
        self.assertLessEqual(plan["predicted"]["lower_bound_seconds"], plan["predicted"]["seconds"])

    def test_a_plan_is_deterministic(self):
        self.llmpar("plan", "mlp.onnx", *DIMS, "--cluster", "cpu-4", "--mesh", "x=2,y=2", "-o", "again.json")
        self.assertEqual((self.at / "again.json").read_bytes(), (self.at / "plan.json").read_bytes())

    def test_a_replayed_plan_runs_right(self):
        self.llmpar("verify", "mlp.onnx", *DIMS, "--plan", "plan.json", "--input=ids=@ids.npy")

    def test_an_edited_plan_runs_right(self):
        def edit(plan):
            for op in plan["ops"]:
                op["shard"] = {}
            self.product(plan)["shard"] = {"n": "y+x"}
        self.llmpar("verify", "mlp.onnx", *DIMS, "--plan", self.edited(edit), "--input=ids=@ids.npy")
        ir = self.llmpar("compile", "mlp.onnx", *DIMS, "--plan", "edited.json", "--compile-to", "layout").stdout
        self.assertIn('[{}, {"y", "x"}]', ir)

    def test_weights_may_rest_in_smaller_shards(self):
        def edit(plan):
            for op in plan["ops"]:
                op["shard"] = {}
            self.product(plan).update(shard={"m": "x+y"}, rest=[["x+y", "-"], ["x", "y"]])
        self.llmpar("verify", "mlp.onnx", *DIMS, "--plan", self.edited(edit), "--input=ids=@ids.npy")
        ir = self.llmpar("compile", "mlp.onnx", *DIMS, "--plan", "edited.json", "--compile-to", "layout").stdout
        self.assertRegex(ir, r'load_weight @h.0.up .*\[\{"x"\}, \{"y"\}\]')
        self.llmpar("export", "mlp.onnx", *DIMS, "--plan", "edited.json", "--to", "dtensor", "-o", "rest.py")
        self.assertIn('"h.0.up": [Shard(0), Shard(1)]', (self.at / "rest.py").read_text())
        self.assertIn("lost: h.0.up rests split over 'x' and is gathered for use",
                      self.llmpar("export", "mlp.onnx", *DIMS, "--plan", "edited.json", "--to", "megatron", "-o", "rest.txt").stderr)

    def test_every_method_replays(self):
        for method in ("single", "data", "tensor", "sequence", "gathered", "hybrid"):
            with self.subTest(method):
                arguments = ["mlp.onnx", *DIMS, "--cluster", "cpu-4"]
                self.llmpar("plan", *arguments, "--method", method, "-o", f"{method}.json")
                self.llmpar("compile", *arguments, "--plan", f"{method}.json", "-o", f"{method}.llmpar")

    def test_a_stale_plan_is_refused_with_what_differs(self):
        error = self.fails("compile", "other.onnx", *DIMS, "--plan", "plan.json")
        self.assertRegex(error, "plan.json: the plan is for another model: op .* 'unary' of node 'h.0.act' .* in the model")
        error = self.fails("compile", "mlp.onnx", "--dim", "batch=4", "--plan", "plan.json")
        self.assertIn("its input 'ids' is tensor<8xi64>, the model's is tensor<4xi64>", error)
        error = self.fails("compile", "mlp.onnx", *DIMS, "--plan", "plan.json", "--cluster", "cpu-8")
        self.assertRegex(error, "the plan is for another cluster, 'cpu-4' instead of 'cpu-8': line 1 ")

    def test_an_edit_that_makes_no_sense_names_the_op(self):
        cases = [
            (lambda plan: self.product(plan)["shard"].update(n="z"), "of node 'h.0.up_product' .*factor 'n': axis 'z' is not of the mesh 'x=2,y=2'"),
            (lambda plan: self.product(plan)["shard"].update(q="x"), "'q' is no factor of its rule"),
            (lambda plan: plan["inputs"][0].update(shard=["x", "y"]), "plan.inputs: 'ids': .*2 entries: expected 1"),
            (lambda plan: plan["ops"].remove(self.product(plan)), "the plan has no entry for op .* of node 'h.0.up_product'"),
            (lambda plan: plan.update(mesh="x=3"), "has 3 ranks, but cluster 'cpu-4' has 4 devices"),
            (lambda plan: plan.update(version=99), "plan.version is 99"),
            (lambda plan: plan.pop("ops"), "plan has no key 'ops'"),
        ]
        for edit, message in cases:
            with self.subTest(message):
                self.assertRegex(self.fails("compile", "mlp.onnx", *DIMS, "--plan", self.edited(edit)), message)

    def test_a_torn_or_missing_file_is_refused(self):
        text = (self.at / "plan.json").read_text()
        (self.at / "torn.json").write_text(text[: len(text) // 2])
        self.assertIn("torn.json: not JSON", self.fails("compile", "mlp.onnx", *DIMS, "--plan", "torn.json"))
        self.assertIn("absent.json: No such file", self.fails("compile", "mlp.onnx", *DIMS, "--plan", "absent.json"))

    def test_a_plan_is_a_layout(self):
        for other in (["--layout", "tensor"], ["--shard", "ids=[x]"], ["--device-config", "x=2,y=2"]):
            self.assertIn("--plan=plan.json is a layout: leave out", self.fails("compile", "mlp.onnx", *DIMS, "--plan", "plan.json", *other, code=USAGE))
        self.assertIn("the plan's mesh is 'x=2,y=2', not 'x=4'", self.fails("compile", "mlp.onnx", *DIMS, "--plan", "plan.json", "--mesh", "x=4"))

    def test_diff_groups_equal_changes(self):
        self.assertIn("the plans are the same", self.llmpar("diff", "plan.json", "plan.json").stdout)

        def edit(plan):
            plan["mesh"] = "x=4"
            for layer in (0, 1):
                self.product(plan, f"h.{layer}.up_product")["shard"] = {"n": "z"}
        self.edited(edit)
        report = json.loads(self.llmpar("diff", "plan.json", "edited.json", "--json", code=MISMATCH).stdout)
        self.assertEqual(report["fields"], [{"name": "mesh", "a": "x=2,y=2", "b": "x=4"}])
        self.assertEqual([(group["count"], group["nodes"]) for group in report["ops"]], [(2, "h.*.up_product")])
        table = self.llmpar("diff", "plan.json", "edited.json", code=MISMATCH).stdout
        self.assertRegex(table, r"mesh +x=2,y=2 -> x=4")
        self.assertRegex(table, r"2 matmul +h\.\*\.up_product")

    def test_diff_errors(self):
        self.assertIn("which other plan?", self.fails("diff", "plan.json", code=USAGE))
        self.assertIn("absent.json", self.fails("diff", "plan.json", "absent.json", code=USAGE))
        self.assertIn("mlp.onnx: not JSON", self.fails("diff", "plan.json", "mlp.onnx", code=USAGE))


class ExportTest(PlansTest):
    def export(self, to: str, file: str, *layout: str) -> list[dict]:
        done = self.llmpar("export", "mlp.onnx", *DIMS, *(layout or HYBRID), "--to", to, "-o", file, "--json")
        return json.loads(done.stdout)["lost"]

    def test_jax_splits_as_the_plan_says_and_computes_the_same(self):
        self.assertEqual(self.export("jax", "jax_specs.py"), [])
        script = textwrap.dedent("""
            import jax, numpy, onnx
            from onnx import numpy_helper
            import jax_specs as specs
            mesh = specs.make_mesh()
            model = onnx.load("mlp.onnx")
            weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
            assert set(specs.WEIGHTS) == set(weights) and set(specs.INPUTS) == {"ids"} and set(specs.OUTPUTS) == {"h2"}
            placed = {name: jax.device_put(weights[name], sharding) for name, sharding in specs.shardings(specs.WEIGHTS, mesh).items()}
            shard = {name: value.addressable_shards[0].data.shape for name, value in placed.items()}
            assert shard == {"wte": (15, 12), "h.0.up": (12, 10), "h.0.down": (10, 12), "h.1.up": (12, 10), "h.1.down": (10, 12)}, shard
            assert placed["h.0.up"].addressable_shards[1].index[1] == slice(10, 20), "rank 1 has tp=1"
            ids = numpy.load("ids.npy")
            def run(ids, w):
                h = w["wte"][ids]
                for layer in range(2):
                    h = jax.numpy.maximum(h @ w[f"h.{layer}.up"], 0) @ w[f"h.{layer}.down"]
                return h
            sharded = jax.jit(run, out_shardings=specs.shardings(specs.OUTPUTS, mesh)["h2"])
            got = sharded(jax.device_put(ids, specs.shardings(specs.INPUTS, mesh)["ids"]), placed)
            numpy.testing.assert_allclose(got, run(ids, weights), rtol=1e-4, atol=1e-5)
        """)
        environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
        done = subprocess.run([sys.executable, "-c", script], cwd=self.at, env=environment, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_dtensor_placements_are_python(self):
        self.assertEqual(self.export("dtensor", "placements.py"), [])
        tree = ast.parse((self.at / "placements.py").read_text())
        tables = {node.targets[0].id: ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign)}
        self.assertEqual(tables["MESH"], "{'dp': 2, 'tp': 2}")
        self.assertIn("'h.0.up': [Replicate(), Shard(1)]", tables["WEIGHTS"])
        self.assertIn("'ids': [Shard(0), Replicate()]", tables["INPUTS"])

    def test_megatron_and_vllm(self):
        self.assertEqual(self.export("megatron", "megatron.txt"), [])
        self.assertIn("\n--tensor-model-parallel-size 2\n--pipeline-model-parallel-size 1\n", (self.at / "megatron.txt").read_text())
        self.assertEqual(self.export("vllm", "vllm.txt"), [])
        self.assertIn("\n--tensor-parallel-size 2\n--data-parallel-size 2\n", (self.at / "vllm.txt").read_text())

    def test_what_is_lost_is_said(self):
        uneven = ["--mesh", "dp=3", "--layout", "data"]  # 8 in shards of 3, 3 and 2
        lost = self.export("jax", "uneven.py", *uneven)
        self.assertEqual({loss["tensor"] for loss in lost}, {"ids", "h2"})
        self.assertIn("uneven", lost[0]["why"])
        self.assertIn("# lost: ids dimension 0 of 8 is split as 'dp'", (self.at / "uneven.py").read_text())
        done = self.llmpar("export", "mlp.onnx", *DIMS, *uneven, "--to", "jax", "-o", "uneven.py")
        self.assertIn("lost: ids dimension 0", done.stderr)
        self.assertEqual({loss["tensor"] for loss in self.export("onnx", "uneven.onnx", *uneven)} >= {"ids"}, True)

    def test_errors(self):
        self.assertIn("--to=tf is no format: choose jax, dtensor, megatron, vllm, onnx",
                      self.fails("export", "mlp.onnx", *DIMS, *HYBRID, "--to", "tf", "-o", "x", code=USAGE))
        self.assertIn("Add -o FILE", self.fails("export", "mlp.onnx", *DIMS, *HYBRID, "--to", "jax", code=USAGE))
        self.assertIn("nothing to annotate on one device", self.fails("export", "mlp.onnx", *DIMS, "--to", "onnx", "-o", "x.onnx", code=USAGE))


class AnnotationTest(PlansTest):
    """ONNX multi-device annotations, written and read."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = subprocess.run([LLMPAR, "export", "mlp.onnx", *DIMS, *HYBRID, "--to", "onnx", "-o", "annotated.onnx"],
                              cwd=cls.at, capture_output=True, text=True, timeout=120)
        assert done.returncode == OK, done.stderr

    def changed(self, edit) -> str:
        model = onnx.load(self.at / "annotated.onnx")
        edit(model)
        onnx.save(model, self.at / "changed.onnx")
        return "changed.onnx"

    @staticmethod
    def spec(model: onnx.ModelProto, tensor: str):
        return next(spec for node in model.graph.node for device in node.device_configurations
                    for spec in device.sharding_spec if spec.tensor_name == tensor)

    def test_the_onnx_package_reads_what_was_written(self):
        model = onnx.load(self.at / "annotated.onnx")
        onnx.checker.check_model(model)
        self.assertGreaterEqual(model.ir_version, 11)
        self.assertEqual([(it.name, it.num_devices) for it in model.configuration], [("dp=2,tp=2", 4)])
        up = self.spec(model, "h.0.up")
        self.assertEqual([(dim.axis, [it.num_shards for it in dim.simple_sharding]) for dim in up.sharded_dim], [(1, [2])])
        self.assertEqual(list(up.device), [-1, -2])
        self.assertEqual({entry.key: list(entry.value) for entry in up.index_to_device_group_map}, {-1: [0, 2], -2: [1, 3]})
        both = self.spec(model, "u0")
        self.assertEqual([dim.axis for dim in both.sharded_dim], [0, 1])
        self.assertEqual(list(both.device), [0, 1, 2, 3])

    def test_the_rest_of_the_model_is_unchanged(self):
        model, original = onnx.load(self.at / "annotated.onnx"), onnx.load(self.at / "mlp.onnx")
        for node in model.graph.node:
            del node.device_configurations[:]
        self.assertEqual(model.graph, original.graph)

    def layout(self, file: str, *arguments: str) -> str:
        return self.llmpar("compile", file, *DIMS, "--compile-to", "layout", *arguments).stdout

    def test_what_was_written_is_followed(self):
        def weights(ir: str) -> list[str]:
            return sorted(line.split("#")[1] for line in ir.splitlines() if "load_weight" in line)
        followed = self.layout("annotated.onnx", "--device-config", "dp=2,tp=2")
        self.assertEqual(weights(followed), weights(self.layout("mlp.onnx", *HYBRID)))
        self.assertIn('llmpar.mesh @mesh <["dp"=2, "tp"=2]>', followed)
        self.llmpar("verify", "annotated.onnx", *DIMS, "--device-config", "dp=2,tp=2", "--input=ids=@ids.npy")

    def test_a_mesh_is_found_from_devices_alone(self):
        def rename(model):
            model.configuration[0].name = "two by two"
            for node in model.graph.node:
                for device in node.device_configurations:
                    device.configuration_id = "two by two"
        ir = self.layout(self.changed(rename), "--device-config", "two by two")
        self.assertIn('llmpar.mesh @mesh <["x"=2, "y"=2]>', ir)
        self.llmpar("verify", "changed.onnx", *DIMS, "--device-config", "two by two", "--input=ids=@ids.npy")

    def test_annotations_that_cannot_be_followed_are_refused(self):
        def shards(model, count):
            self.spec(model, "h.0.up").sharded_dim[0].simple_sharding[0].num_shards = count

        def fuse(model):
            self.spec(model, "h.0.up").sharded_dim[0].simple_sharding.add().num_shards = 1

        def swap(model):
            self.spec(model, "h.0.up").index_to_device_group_map[0].value[:] = [0, 1]

        def rename(model):
            self.spec(model, "h.0.up").tensor_name = "nothing"

        cases = [
            (lambda model: shards(model, 3), "node 'h.0.up_product', sharding spec of 'h.0.up': it has 3 shards, but 2 devices or groups"),
            (lambda model: setattr(self.spec(model, "h.0.up").sharded_dim[0], "axis", 7), "axis 7 is not of a tensor of rank 2"),
            (fuse, "axis 1 is fused of 2 dimensions"),
            (swap, "are not those of a split over axes of the mesh 'dp=2,tp=2'"),
            (rename, "sharding spec of 'nothing', which is none of its inputs and outputs"),
            (lambda model: self.spec(model, "h.0.up").ClearField("index_to_device_group_map"), "device -1 is no device and has no group"),
            (lambda model: setattr(model.configuration[0], "num_devices", 0), "has 0 devices"),
        ]
        for edit, message in cases:
            with self.subTest(message):
                self.assertIn(message, self.fails("compile", self.changed(edit), *DIMS, "--device-config", "dp=2,tp=2"))
        self.assertIn("no device configuration 'eight': it has 'dp=2,tp=2'",
                      self.fails("compile", "annotated.onnx", *DIMS, "--device-config", "eight"))
        self.assertIn("has 4 devices, but the mesh 'tp=2' has 2 ranks",
                      self.fails("compile", "annotated.onnx", *DIMS, "--device-config", "dp=2,tp=2", "--mesh", "tp=2", "--layout", "tensor"))

    def test_what_is_not_followed_is_a_warning(self):
        def stage(model):
            model.graph.node[0].device_configurations[0].pipeline_stage = 1
        done = self.llmpar("compile", self.changed(stage), *DIMS, "--device-config", "dp=2,tp=2", "--compile-to", "layout")
        self.assertIn("device configuration 'dp=2,tp=2' has pipeline stages: they are not followed", done.stderr)

        def fold(model):  # a reshape to the same shape: simplification removes it
            model.graph.node[1].input[0] = "same"
            model.graph.initializer.append(numpy_helper.from_array(numpy.array([BATCH, WIDTH]), "shape"))
            node = helper.make_node("Reshape", ["h0", "shape"], ["same"], name="no change")
            node.device_configurations.add().CopyFrom(model.graph.node[0].device_configurations[0])
            specs = node.device_configurations[0].sharding_spec
            del specs[1:]
            specs[0].tensor_name = "same"
            model.graph.node.insert(1, node)
        done = self.llmpar("compile", self.changed(fold), *DIMS, "--device-config", "dp=2,tp=2", "--compile-to", "layout")
        self.assertIn("node 'no change', sharding spec of 'same': no op computes it by itself after simplification", done.stderr)

    def test_weights_beside_the_model_stay_beside_it(self):
        onnx.save(make_model(), self.at / "external.onnx", save_as_external_data=True, location="external.data", size_threshold=0)
        (self.at / "elsewhere").mkdir(exist_ok=True)
        arguments = ["export", "external.onnx", *DIMS, *HYBRID, "--to", "onnx", "-o"]
        self.assertIn("the model's weights are files beside it", self.fails(*arguments, "elsewhere/annotated.onnx", code=USAGE))
        self.llmpar(*arguments, "external_annotated.onnx")
        onnx.checker.check_model(str(self.at / "external_annotated.onnx"))


@unittest.skipUnless(os.environ.get("LLMPAR_TEST_DATA"), "LLMPAR_TEST_DATA names no folder of models")
class RealModelsTest(unittest.TestCase):
    """Plans and annotations of real models, with the outputs that the models come with."""

    def test_replayed_plans_and_followed_annotations_match_the_expected_outputs(self):
        models = sorted(Path(os.environ["LLMPAR_TEST_DATA"]).glob("torch/*.dynamo"))
        self.assertTrue(models, "no torch/*.dynamo below LLMPAR_TEST_DATA")
        for source in models:
            with self.subTest(source.name), tempfile.TemporaryDirectory() as folder:
                shutil.copytree(source, folder, dirs_exist_ok=True)

                def llmpar(command, model, *arguments):
                    done = subprocess.run([LLMPAR, command, model, "--data", "test_data_set_0", *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
                    self.assertEqual(done.returncode, OK, f"{command} {arguments}\n{done.stdout}{done.stderr}")
                llmpar("plan", "model.onnx", "--cluster", "cpu-4", "--mesh", "x=2,y=2", "-o", "plan.json")
                llmpar("verify", "model.onnx", "--plan", "plan.json")
                llmpar("export", "model.onnx", "--plan", "plan.json", "--to", "onnx", "-o", "annotated.onnx")
                llmpar("verify", "annotated.onnx", "--device-config", "x=2,y=2")


if __name__ == "__main__":
    unittest.main()
