# Postroom as a server under test, for a benchmark harness that knows a mail server by one file of shell functions and
# sources it: W (an empty work folder), PORT, SINK (the port of the next hop), ROLE (local or relay), DOMAIN, ALIASES
# and the functions bg, wait_port, kill_pidfile and users are the harness's. Put it, or a link to it, beside the
# harness's other servers as postroom.sh.
#
# POSTROOMD names the program. Without it, a link to this file finds target/release/postroomd of its own source tree;
# build that with `cargo build --release -p control`.
#
# Settings are Postroom's defaults, but for tests that ask the DNS about each stranger (there is none here, and the other
# servers make no such tests) and for the limit of connections (all of the load comes from one address). As a relay it
# trusts this machine, because the load does not sign in, and counts the load's sender as its own, because a machine without
# login can send in the server's own name only.

postroom_source=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
: "${POSTROOMD:=${CARGO_TARGET_DIR:-$postroom_source/target}/release/postroomd}"

srv_caps() { echo "local many relay reject queue"; }
srv_version() { "$POSTROOMD" --version 2>/dev/null | awk '{ print $NF }'; }
srv_count_globs() { echo "$W/data/mail/*/new"; }
# Short loads say little about a fast server.
srv_scale() { echo 3; }

postroom_users() { users | awk '{ printf "%s{\"name\":\"%s\"}", (NR > 1 ? "," : ""), $1 }'; }

postroom_settings() {
  local general="" networks=null delivery=""
  if [ "$ROLE" = relay ]; then
    general='"skip_auth_for_local_network":true,"additional_domains":["sender.test"],'
    networks='["127.0.0.0/8"]'
    delivery=',"delivery":{"relay_enabled":true,"relay_server":"127.0.0.1","relay_port":'$SINK',"relay_tls":false}'
  fi
  cat <<JSON
{"general":{$general"domain":"$DOMAIN","hostname":"mx.$DOMAIN"},
 "service":{"smtp":["127.0.0.1:$PORT"],"submission":["127.0.0.1:0"],"submissions":["127.0.0.1:0"],
            "local_networks":$networks},
 "security":{"sender_policy":{"reject_unknown_domain":false},"connection_policy":{"max_connections":null},
             "checks":{"spf":"off","dkim":"off","dmarc":"off"}},
 "users":[$(postroom_users)]$delivery}
JSON
}

srv_start() {
  [ -x "$POSTROOMD" ] || { echo "POSTROOMD is $POSTROOMD, which cannot be started" >&2; return 1; }
  mkdir -p "$W/log"
  postroom_settings >"$W/settings.json"
  "$POSTROOMD" --data-dir "$W/data" settings apply "$W/settings.json" >"$W/log/apply.log" 2>&1 || { cat "$W/log/apply.log" >&2; return 1; }
  bg "$W/log/serve.log" "$POSTROOMD" --data-dir "$W/data" serve
  wait_port "$PORT"
}
srv_stop() { kill_pidfile; }
srv_queue() {
  "$POSTROOMD" --data-dir "$W/data" --json queue list 2>/dev/null | grep -o '"total": *[0-9]*' | grep -o '[0-9]*$' | head -1
}
