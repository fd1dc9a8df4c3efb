#!/usr/bin/env bash
# usage: model_test.sh MODEL FOLDER C-COMPILER
# Lets spin look at every state of the model, and checks that variants without one of the protocol's
# parts fail at what that part is there for. 77 when spin is not installed.
set -euo pipefail
model=$1 folder=$2 compiler=$3
if ! command -v spin >/dev/null; then
  echo "SKIPPED: spin is not installed (Debian package spin)"
  exit 77
fi
mkdir -p "$folder"
cd "$folder"
failed=0

# check PATTERN VARIANT...: the search of all states says what the pattern says.
check() {
  local pattern=$1 output optimise=-O0
  shift
  rm -f pan pan.* ./*.trail
  spin "$@" -a "$model"
  # A search that finds nothing is long.
  [[ $pattern != 'errors: 0$' ]] || optimise=-O1
  # What spin generates is not free of warnings.
  "$compiler" -w "$optimise" -DSAFETY -DMEMLIM=2000 -o pan pan.c
  output=$(./pan -m10000 -w22 2>&1) || true
  if grep -Eq "$pattern" <<<"$output" &&
    ! grep -Eq 'max search depth too small|out of memory|memory limit|too few' <<<"$output"; then
    echo "ok: ${*:-the protocol}: $(grep -E 'states, stored|^pan:1' <<<"$output" | tr -s ' \n' ' ')"
  else
    echo "FAILED: ${*:-the protocol} should give \"$pattern\":"
    echo "$output"
    failed=1
  fi
}

check 'errors: 0$'
check 'errors: 0$' -DSLOW_HOLDER -DREPLICAS=2
check 'errors: 0$' -DOUTAGE -DREPLICAS=2
check 'assertion violated lost\[seen\]' -DNO_LEASE
check 'invalid end state' -DNO_LEASE_END
check 'assertion violated \(row==seen\)' -DNO_COMPARE
check 'assertion violated \(\(rejected\[i\]!=version\)' -DSLOW_HOLDER -DNO_REREAD
check 'assertion violated \(\(token\[row\]==1\)' -DOUTAGE -DREPLICAS=2 -DNO_WRITER
exit "$failed"
