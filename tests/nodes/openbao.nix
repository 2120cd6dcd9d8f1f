# The OpenBao of the tests: one raft node with TLS and an audit log. The scenario initialises it;
# after a restart it unseals itself with the key that the scenario left on it.
{ pkgs, ... }:
let
  configuration = pkgs.writeText "openbao.hcl" ''
    storage "raft" {
      path                   = "/var/lib/openbao/raft"
      node_id                = "openbao"
      performance_multiplier = 1 # elections five times as fast: the network is this machine
    }
    listener "tcp" {
      address       = "0.0.0.0:8200"
      tls_cert_file = "/var/lib/openbao/tls/server.pem"
      tls_key_file  = "/var/lib/openbao/tls/server.key"
    }
    audit "file" "log" {
      description = "for the tests"
      options = { file_path = "/var/lib/openbao/audit.log" }
    }
    api_addr     = "https://openbao:8200"
    cluster_addr = "https://openbao:8201"
  '';
in
{
  networking.hostName = "openbao";
  networking.firewall.allowedTCPPorts = [ 8200 ];

  environment.systemPackages = [
    (import ../../nix/packages.nix { inherit pkgs; }).create-host # it is the operator's machine, too
    pkgs.gitMinimal
    pkgs.openbao
    pkgs.openssl
    pkgs.opentofu
  ];

  systemd.services = {
    openbao-certificates = {
      description = "A CA and a certificate for the OpenBao of the tests";
      path = [ pkgs.openssl ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StateDirectory = "openbao openbao/tls openbao/raft";
        WorkingDirectory = "/var/lib/openbao/tls";
        ExecStart = pkgs.writeShellScript "openbao-certificates" ''
          set -eu
          [ ! -e server.pem ] || exit 0
          openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
            -subj "/CN=CA of the tests" -keyout ca.key -out ca.pem
          openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=openbao" \
            -keyout server.key -out server.csr
          printf 'subjectAltName=DNS:openbao,DNS:localhost,IP:127.0.0.1\n' > extensions
          openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
            -extfile extensions -out server.new
          mv server.new server.pem
        '';
      };
    };

    openbao = {
      description = "OpenBao of the tests";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network.target"
        "openbao-certificates.service"
      ];
      requires = [ "openbao-certificates.service" ];
      serviceConfig = {
        ExecStart = "${pkgs.openbao}/bin/bao server -config=${configuration}";
        # Unseals OpenBao after a restart with the key, if the scenario left it on the machine.
        ExecStartPost = pkgs.writeShellScript "openbao-unseal" ''
          export HOME=/root BAO_ADDR=https://localhost:8200 BAO_CACERT=/var/lib/openbao/tls/ca.pem
          [ -e /var/lib/openbao/unseal-key ] || exit 0
          for attempt in $(seq 100); do
            if ${pkgs.openbao}/bin/bao operator unseal "$(cat /var/lib/openbao/unseal-key)" > /dev/null; then
              exit 0
            fi
            sleep 0.1
          done
          exit 1
        '';
        LimitCORE = 0;
      };
    };
  };
}
