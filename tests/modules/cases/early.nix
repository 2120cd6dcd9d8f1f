# Files of secrets in options that are read before secrets are on the host.
_:
let
  host = more: {
    imports = [ more ];
    vault.secrets.db.services = [ "app" ];
  };
  hash = file: {
    users.users.alice = {
      isNormalUser = true;
      hashedPasswordFile = file;
    };
  };
  passwords = "a boot sets passwords before the network is up, which secrets need, and does not find it. Set hashedPassword, or name a file that is on the disk when the host boots.";
  disk = options: {
    fileSystems."/srv/share" = {
      device = "//nas.example.internal/share";
      fsType = "cifs";
      inherit options;
    };
  };
  interface = "the interface comes up before the network is up, which secrets need. Use networking.wg-quick, and name its service `wg-quick-wg0` in the secret's services.";
in
{
  "a user's password" = {
    config = host (hash "/run/secrets/db/password");
    warned = [
      "users.users.alice.hashedPasswordFile is `/run/secrets/db/password`, a file of vault.secrets.db: ${passwords}"
    ];
  };
  "a user's password in another folder of a secret" = {
    config = host {
      imports = [ (hash "/run/app/logins/alice") ];
      vault.secrets.login.outputDir = "/run/app/logins";
    };
    warned = [
      "users.users.alice.hashedPasswordFile is `/run/app/logins/alice`, a file of vault.secrets.login: ${passwords}"
    ];
  };
  "a user's password in the folder of secrets" = {
    config = host (hash "/run/secrets/login/alice");
    warned = [
      "users.users.alice.hashedPasswordFile is `/run/secrets/login/alice`, in vault.secretsDirectory: ${passwords}"
    ];
  };
  "a user's password on the disk" = {
    config = host (hash "/persist/passwords/alice");
  };
  "a user's password from sops" = {
    config = host (hash "/run/secrets-for-users/alice");
  };

  "a file of the initrd" = {
    config = host { boot.initrd.secrets."/etc/key" = "/run/secrets/db/key"; };
    warned = [
      "boot.initrd.secrets.\"/etc/key\" is `/run/secrets/db/key`, a file of vault.secrets.db: it is copied to the boot partition when the boot loader is installed, at first before the secret is on the host, and later versions do not get there. Name a file that is kept on the disk."
    ];
  };
  "a file of the initrd at the same path" = {
    config = host { boot.initrd.secrets."/run/secrets/db/key" = null; };
    warned = [
      "boot.initrd.secrets.\"/run/secrets/db/key\" is `/run/secrets/db/key`, a file of vault.secrets.db: it is copied to the boot partition when the boot loader is installed, at first before the secret is on the host, and later versions do not get there. Name a file that is kept on the disk."
    ];
  };
  "the key of an encrypted disk" = {
    config = host {
      boot.initrd.luks.devices.data = {
        device = "/dev/vdb";
        keyFile = "/run/secrets/db/key";
      };
    };
    warned = [
      "boot.initrd.luks.devices.data.keyFile is `/run/secrets/db/key`, a file of vault.secrets.db: the disk is opened before the network is up, which secrets need. Name a file that is there by then."
    ];
  };

  "a mount that does not wait" = {
    config = host (disk [ "credentials=/run/secrets/db/smb" ]);
    warned = [
      "fileSystems.\"/srv/share\".options is `/run/secrets/db/smb`, a file of vault.secrets.db: nothing makes the mount wait for it. Add `x-systemd.requires=vault-secret-db.service`, and `_netdev`."
    ];
  };
  "a mount that waits" = {
    config = host (disk [
      "credentials=/run/secrets/db/smb"
      "x-systemd.requires=vault-secret-db.service"
      "_netdev"
    ]);
  };

  "a copy in /etc" = {
    config = host {
      environment.etc."app.conf" = {
        source = "/run/secrets/db/app.conf";
        mode = "0400";
      };
    };
    warned = [
      "environment.etc.\"app.conf\".source is `/run/secrets/db/app.conf`, a file of vault.secrets.db: with a mode it is copied when the host boots, before the secret is there. Leave the mode out: the file in /etc is then a link to it."
    ];
  };
  "a link in /etc" = {
    config = host { environment.etc."app.conf".source = "/run/secrets/db/app.conf"; };
  };

  "keys of a WireGuard interface" = {
    config = host {
      networking.wireguard.interfaces.wg0 = {
        privateKeyFile = "/run/secrets/db/private";
        peers = [
          {
            publicKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
            allowedIPs = [ "10.1.0.0/24" ];
            presharedKeyFile = "/run/secrets/db/shared";
          }
        ];
      };
    };
    warned = [
      "networking.wireguard.interfaces.wg0.privateKeyFile is `/run/secrets/db/private`, a file of vault.secrets.db: ${interface}"
      "networking.wireguard.interfaces.wg0.peers.*.presharedKeyFile is `/run/secrets/db/shared`, a file of vault.secrets.db: ${interface}"
    ];
  };
  "keys of a WireGuard interface that comes up later" = {
    config = {
      vault.secrets.db.services = [ "wg-quick-wg0" ];
      networking.wg-quick.interfaces.wg0 = {
        privateKeyFile = "/run/secrets/db/private";
        peers = [ ];
      };
    };
  };
  "a host that fetches no secrets" = {
    config = host {
      imports = [ (hash "/run/secrets/db/password") ];
      vault.enable = false;
    };
    warned = [
      "`vault.secrets.db` are declared, but vault.enable is not set: this host does not fetch them."
    ];
  };
}
