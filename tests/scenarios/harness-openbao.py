"""The runner itself: OpenBao serves from a guest, with raft and TLS."""
# needs: bao

CONFIGURATION = """
storage "raft" {
  path = "/var/lib/openbao"
  node_id = "one"
  performance_multiplier = 1
}
listener "tcp" {
  address = "0.0.0.0:8200"
  tls_cert_file = "/etc/bao.pem"
  tls_key_file = "/etc/bao.key"
}
api_addr = "https://alpha:8200"
cluster_addr = "https://alpha:8201"
"""

alpha.succeed(
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
    "-subj /CN=alpha -addext subjectAltName=DNS:alpha -keyout /etc/bao.key -out /etc/bao.pem",
    f"mkdir -p /var/lib/openbao; printf %s {shlex.quote(CONFIGURATION)} > /etc/bao.hcl",
    "systemd-run --unit=openbao bao server -config=/etc/bao.hcl",
)
alpha.wait_for_open_port(8200, timeout=60)
environment = "export BAO_ADDR=https://alpha:8200 BAO_CACERT=/etc/bao.pem"
shares = json.loads(
    alpha.succeed(f"{environment}; bao operator init -key-shares=1 -key-threshold=1 -format=json")
)
alpha.succeed(f"{environment}; bao operator unseal {shares['unseal_keys_b64'][0]} >&2")
environment += f" BAO_TOKEN={shares['root_token']}"
alpha.wait_until_succeeds(f"{environment}; bao secrets enable -version=2 kv >&2", timeout=60)
alpha.succeed(f"{environment}; bao kv put -mount=kv web password=x >&2")
assert alpha.succeed(f"{environment}; bao kv get -mount=kv -field=password web").strip() == "x"
