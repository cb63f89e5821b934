#!/bin/sh
# check_exports.sh NM LIBRARY HEADER - the library exports exactly the functions that the header declares.
exported=$("$1" -D --defined-only "$2" | awk '{ print $NF }' | sort)
declared=$(grep -o 'LLMPAR_RT_API [^;(]*(' "$3" | grep -o 'llmpar_rt_[a-z_]*(' | tr -d '(' | sort)
[ -n "$declared" ] && [ "$exported" = "$declared" ] && exit 0
echo "exported by $2:"; echo "$exported"
echo "declared in $3:"; echo "$declared"
exit 1
