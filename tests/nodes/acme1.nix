# One node whose certificate is made as NixOS's ACME client makes it: the same files in the same
# folder, from a CA with an intermediate one.
{ pkgs, ... }:
let
  folder = "/var/lib/acme/acme1";
in
{
  imports = [ ./lib/single.nix ];
  networking.hostName = "acme1";

  vault.server = {
    certificates = {
      enable = false;
      directory = folder;
      group = "acme";
      caFile = "/etc/acme-root.pem";
    };
    unseal = {
      enable = true;
      mode = "with-openbao";
    };
  };

  environment.systemPackages = [ pkgs.openssl ];

  systemd.services.acme-acme1 = {
    description = "A certificate for acme1";
    requiredBy = [ "openbao.service" ];
    before = [ "openbao.service" ];
    path = [
      pkgs.coreutils
      pkgs.openssl
    ];
    serviceConfig = {
      Type = "oneshot";
      Group = "acme";
      UMask = "0027";
      StateDirectory = "acme/acme1";
      StateDirectoryMode = "0750";
      WorkingDirectory = folder;
      # The names that security/acme of NixOS gives to what lego writes.
      ExecStart = pkgs.writeShellScript "acme-acme1" ''
        set -eu
        authority="basicConstraints=critical,CA:true"
        new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        mkdir -p ca
        if [ ! -e ca/root.pem ]; then
          openssl req -x509 $new -days 30 -subj "/CN=root" -keyout ca/root.key -out ca/root.pem
          openssl req $new -subj "/CN=intermediate" -keyout ca/issuer.key -out ca/issuer.csr
          printf '%s\n' "$authority" > ca/issuer.ext
          openssl x509 -req -in ca/issuer.csr -CA ca/root.pem -CAkey ca/root.key -CAcreateserial -days 30 \
            -extfile ca/issuer.ext -out ca/issuer.pem
          install -m 0644 ca/root.pem /etc/acme-root.pem
        fi
        openssl req $new -subj "/CN=acme1" -keyout key.pem -out ca/leaf.csr
        printf 'subjectAltName=DNS:acme1\n' > ca/leaf.ext
        openssl x509 -req -in ca/leaf.csr -CA ca/issuer.pem -CAkey ca/issuer.key -CAcreateserial -days 30 \
          -extfile ca/leaf.ext -out ca/leaf.pem
        cat ca/leaf.pem ca/issuer.pem > fullchain.pem
        cp ca/issuer.pem chain.pem
        ln -sf fullchain.pem cert.pem
        cat key.pem fullchain.pem > full.pem
        chmod 0640 -- *.pem
      '';
    };
  };
}
