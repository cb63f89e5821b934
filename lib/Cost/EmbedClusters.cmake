# cmake -DOUTPUT=x.cpp -P EmbedClusters.cmake a.yaml b.yaml ...: the files as strings of one C++ source.
set(entries "")
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  set(argument "${CMAKE_ARGV${i}}")
  if(argument MATCHES "\\.yaml$")
    get_filename_component(name "${argument}" NAME_WLE)
    file(READ "${argument}" text)
    string(APPEND entries "    {\"${name}\", R\"yaml(${text})yaml\"},\n")
  endif()
endforeach()
file(WRITE "${OUTPUT}.new" "// Generated from lib/Cost/clusters by EmbedClusters.cmake.
#include \"ShippedClusters.h\"

llvm::ArrayRef<llmpar::ShippedCluster> llmpar::shippedClusterFiles() {
  static const ShippedCluster files[] = {
${entries}  };
  return files;
}
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
