# A Kubernetes API server with its etcd, on a host that copies OpenBao's CA certificates to every
# namespace; its credentials for the cluster are a secret of its own.
{ pkgs, ... }:
let
  folder = "/var/lib/kubernetes";
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "kube";

  vault = {
    secrets.kubernetes.services = [ "vault-ca-kubernetes" ];
    tls.followAuthorities.enable = true;
    tls.kubernetes = {
      enable = true;
      kubeconfigFile = "/run/secrets/kubernetes/kubeconfig";
      interval = "1s";
    };
  };

  environment.systemPackages = [ pkgs.kubectl ];

  systemd.services = {
    kubernetes-certificates = {
      description = "Keys of the API server of the tests";
      path = [ pkgs.openssl ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        StateDirectory = "kubernetes";
        WorkingDirectory = folder;
        ExecStart = pkgs.writeShellScript "kubernetes-certificates" ''
          set -eu
          umask 077
          [ ! -e accounts.pub ] || exit 0
          openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=kube" \
            -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout server.key -out server.pem
          echo "administrator,admin,admin,system:masters" > users.csv
          openssl ecparam -name prime256v1 -genkey -noout -out accounts.key
          openssl ec -in accounts.key -pubout -out accounts.pub
        '';
      };
    };

    kube-etcd = {
      description = "The store of the API server of the tests";
      wantedBy = [ "multi-user.target" ];
      serviceConfig = {
        Type = "notify";
        StateDirectory = "kubernetes";
        ExecStart = "${pkgs.etcd}/bin/etcd --name=kube --data-dir=${folder}/etcd --log-level=warn";
      };
    };

    kube-apiserver = {
      description = "The API server of the tests";
      wantedBy = [ "multi-user.target" ];
      requires = [ "kubernetes-certificates.service" ];
      after = [
        "kubernetes-certificates.service"
        "kube-etcd.service"
      ];
      serviceConfig = {
        WorkingDirectory = folder;
        Restart = "on-failure";
        ExecStart = ''
          ${pkgs.kubernetes}/bin/kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=127.0.0.1 \
            --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --authorization-mode=RBAC \
            --cert-dir=${folder} --tls-cert-file=server.pem --tls-private-key-file=server.key \
            --token-auth-file=users.csv --service-cluster-ip-range=10.0.0.0/24 \
            --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=accounts.pub \
            --service-account-signing-key-file=accounts.key --disable-admission-plugins=ServiceAccount
        '';
      };
    };
  };
}
