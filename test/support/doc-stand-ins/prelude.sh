# What every script of a page begins with.

# Runs a program that the page leaves in the foreground of a terminal, until the next one is (Ctrl-C).
foreground() {
  if [ -s "$MACHINE/foreground" ]; then end_foreground; fi
  setsid "$@" >"$MACHINE/log/foreground" 2>&1 </dev/null &
  echo $! >"$MACHINE/foreground"
  echo $! >>"$MACHINE/pids"
  await_api "$!" "$MACHINE/log/foreground"
}

end_foreground() {
  kill -s INT -- "-$(cat "$MACHINE/foreground")" 2>/dev/null || true
  while kill -s 0 -- "-$(cat "$MACHINE/foreground")" 2>/dev/null; do sleep 0.1; done
  : >"$MACHINE/foreground"
}

# Waits until the daemon is ready or the process (1) is gone, whose log (2) is then shown.
await_api() {
  until command curl --silent --max-time 5 "$MACHINE_API/v1/health" | grep -q '"ready":true'; do
    if ! kill -s 0 "$1" 2>/dev/null; then cat "$2" >&2; return 1; fi
    sleep 0.1
  done
}

# The id of the newest active mitigation, which takes the place of those in the examples.
an_id() {
  prefixd --format json mitigations list --active --limit 1 |
    node -p 'JSON.parse(require("node:fs").readFileSync(0, "utf8")).mitigations[0].mitigation_id'
}
