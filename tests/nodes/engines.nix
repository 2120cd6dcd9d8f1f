# A host with a certificate of OpenBao's CA and a database user whose password OpenBao changes. It
# runs the database, too.
{ config, pkgs, ... }:
let
  certificate = config.vault.secrets.tls.path;
  credentials = config.vault.secrets.db.path;

  nginx = pkgs.writeText "nginx.conf" ''
    daemon off;
    error_log stderr;
    pid /run/web/pid;
    events { }
    http {
      access_log off;
      server {
        listen 8443 ssl;
        ssl_certificate ${certificate}/fullchain.pem;
        ssl_certificate_key ${certificate}/key.pem;
        location / { return 200 "served"; }
      }
    }
  '';
  folder = "/var/lib/database";

  sshd = pkgs.writeText "sshd_config" ''
    Port 2222
    HostKey /var/lib/sshd/key
    HostCertificate ${config.vault.secrets.sshd.path}/cert.pub
    UsePAM no
  '';
in
{
  imports = [ ./lib/host.nix ];

  networking.hostName = "engines";
  networking.firewall.allowedTCPPorts = [
    5432
    8443
  ];

  environment.systemPackages = [
    pkgs.curl
    pkgs.openssh
    pkgs.openssl
  ];

  vault = {
    watch = {
      enable = true;
      interval = "1s";
    };
    secrets = {
      tls = {
        source.pki = {
          role = "web";
          commonName = "engines";
          altNames = [ "127.0.0.1" ];
        };
        services = [ "web" ];
        onChange = "reload";
      };
      db = {
        source.databaseStatic.role = "app";
        owner = "database";
        services = [ "app" ];
        onChange = "nothing";
      };
      ca.source.read.path = "pki/cert/ca";
      sshd = {
        source.ssh = {
          role = "host";
          principals = [ "engines" ];
          publicKey = "/var/lib/sshd/key.pub";
        };
        services = [ "sshd" ];
        onChange = "reload";
      };
    };
  };

  users.users.database = {
    isSystemUser = true;
    group = "database";
  };
  users.groups.database = { };

  systemd.services = {
    web = {
      description = "A web server with a certificate of OpenBao's CA";
      wantedBy = [ "multi-user.target" ];
      path = [ pkgs.coreutils ];
      serviceConfig = {
        Type = "exec";
        RuntimeDirectory = "web";
        ExecStart = "${pkgs.nginx}/bin/nginx -e stderr -c ${nginx}";
        # As a service that takes no other certificate than one.
        ExecReload = [
          (pkgs.writeShellScript "web-check" ''
            [ ! -e /run/only.pem ] || [ "$(cat /run/only.pem)" = "$(cat ${certificate}/cert.pem)" ]
          '')
          "${pkgs.coreutils}/bin/kill -HUP $MAINPID"
        ];
      };
    };

    database = {
      description = "The database";
      wantedBy = [ "multi-user.target" ];
      path = [
        pkgs.coreutils
        pkgs.postgresql
      ];
      serviceConfig = {
        Type = "notify";
        User = "database";
        StateDirectory = "database";
        RuntimeDirectory = "database";
        ExecStartPre = pkgs.writeShellScript "database-create" ''
          set -eu
          [ ! -e ${folder}/data ] || exit 0
          initdb --pgdata=${folder}/new --username=database --locale=C --no-sync \
            --auth-local=peer --auth-host=scram-sha-256
          echo 'host all all all scram-sha-256' >> ${folder}/new/pg_hba.conf
          mv ${folder}/new ${folder}/data
        '';
        ExecStart = "${pkgs.postgresql}/bin/postgres -D ${folder}/data -k /run/database -h *";
      };
    };

    sshd-keygen = {
      description = "The key of the SSH server";
      serviceConfig = {
        Type = "oneshot";
        StateDirectory = "sshd";
        ExecStart = pkgs.writeShellScript "sshd-keygen" ''
          [ -e /var/lib/sshd/key ] || ${pkgs.openssh}/bin/ssh-keygen -q -t ed25519 -N "" -f /var/lib/sshd/key
        '';
      };
    };

    sshd = {
      description = "An SSH server with a certificate of OpenBao's CA";
      wantedBy = [ "multi-user.target" ];
      wants = [ "sshd-keygen.service" ];
      after = [ "sshd-keygen.service" ];
      serviceConfig = {
        Type = "exec";
        RuntimeDirectory = "sshd";
        ExecStart = "${pkgs.openssh}/bin/sshd -D -e -f ${sshd}";
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
      };
    };

    # Holds one connection, and opens others with the password of the moment.
    app = {
      description = "A program that uses the database";
      wantedBy = [ "multi-user.target" ];
      path = [
        pkgs.coreutils
        pkgs.postgresql
      ];
      environment.PGHOST = "127.0.0.1";
      serviceConfig = {
        User = "database";
        RuntimeDirectory = "app";
        Restart = "on-failure";
        RestartSec = "1s";
        ExecStart = pkgs.writeShellScript "app" ''
          set -u
          export PGUSER="$(cat ${credentials}/username)" PGDATABASE=postgres
          held() {
            while sleep 0.2 && echo 'select 1;'; do :; done |
              PGPASSWORD="$(cat ${credentials}/password)" psql --quiet --set=ON_ERROR_STOP=1 > /run/app/held
            echo "the connection ended" >> /run/app/ended
          }
          held &
          while sleep 0.2; do
            if PGPASSWORD="$(cat ${credentials}/password)" psql --quiet --command='select 1' > /dev/null 2>&1
            then echo opened; else echo refused; fi >> /run/app/connections
          done
        '';
      };
    };
  };
}
