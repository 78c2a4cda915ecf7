# Sourced by .ci/run and .ci/nightly, from the repository's root.

# Programs that tests need in addition to Node, Java and Maven, by command and Debian package. Without its program a test
# is skipped, and in CI a skipped test counts as failed.
install_tools() {
  local -A tools=([promtool]=prometheus [docker-compose]=docker-compose [kcat]=kcat)
  local missing=() tool root=() log
  for tool in "${!tools[@]}"; do
    command -v "$tool" > /dev/null || missing+=("${tools[$tool]}")
  done
  if ((${#missing[@]} == 0)); then return; fi
  echo "Installing ${missing[*]}"
  if ((EUID != 0)); then root=(sudo); fi
  log=$(mktemp)
  if ! { "${root[@]}" apt-get update &&
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } > "$log" 2>&1; then
    tail -n 20 "$log"
    echo "Could not install ${missing[*]}"
  fi
  rm -f "$log"
}

passed=0
failed=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT

# Runs a command that ends with "N passed, N failed", and adds both to the sum.
part() {
  "$@" | tee "$said" || true
  if [[ $(tail -n 1 "$said") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    ((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], 1))
  else
    ((failed += 1))
  fi
}

# Runs a command whose exit code is its result, as one test.
check() {
  if "$@"; then ((passed += 1)); else ((failed += 1)); fi
}

# Prints the sum. Its status is 0 when nothing failed.
finish() {
  echo
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
