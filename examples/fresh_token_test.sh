#!/usr/bin/env bash
# usage: fresh_token_test.sh PROGRAM SIMULATOR FOLDER
# Several at once, against a UAA whose refresh tokens work once: each gets a token and none is lost.
set -euo pipefail
program=$1 simulator=$2
folder=$(mktemp -d "$3/fresh-token.XXXXXX")

# Tokens live shorter than the margin of the provider, so each call renews.
mkfifo "$folder/started"
"$simulator" --no-tls --apps 0 --refresh-mode rotate-once --token-validity 20 >"$folder/started" &
simulatorPid=$!
trap 'kill "$simulatorPid"; wait "$simulatorPid" || true; rm -rf "$folder"' EXIT
read -r started <"$folder/started"
address() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$started"; }
uaa=$(address uaa)
control=$(address control)

FRESH_TOKEN_KEY=$(printf '7%.0s' {1..64})
export FRESH_TOKEN_KEY
freshToken() { "$program" "$uaa" admin "$folder/tokens.db"; }

if freshToken 2>"$folder/error"; then
  echo "a token without signing in"
  exit 1
fi
FRESH_TOKEN_PASSWORD=admin freshToken >"$folder/first"
pids=()
for call in 1 2 3 4; do
  freshToken >"$folder/token-$call" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
different=$(cat "$folder/first" "$folder"/token-* | sort -u | wc -l)
state=$(curl -fsS "$control/sim/state")
echo "$different different tokens; $state"
[[ $different == 5 && $state == *'"refreshes":4'* && $state == *'"refusedRefreshes":0'* ]]
