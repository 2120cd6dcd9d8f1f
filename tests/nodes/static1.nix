# One node with a seal key of its own, which initialises itself: nobody ever has a root token.
{
  imports = [ ./lib/single.nix ];
  networking.hostName = "static1";
  vault.server = {
    seal = {
      type = "static";
      # Brought by cloud-init.
      static.keyFile = "/etc/openbao/seal-key";
    };
    audit.device = "syslog";
    initialization.requests = {
      kv = {
        path = "sys/mounts/secret";
        data = {
          type = "kv";
          options.version = "2";
        };
      };
      login = {
        path = "sys/auth/userpass";
        data.type = "userpass";
      };
      operator-policy = {
        path = "sys/policies/acl/operator";
        data.policy = ''
          path "secret/*" { capabilities = ["create", "update", "read", "list"] }
          path "sys/rotate/recovery/*" { capabilities = ["update", "read", "sudo"] }
        '';
      };
      operator-user = {
        path = "auth/userpass/users/alice";
        data.token_policies = [ "operator" ];
        dataFiles.password = "/etc/openbao/alice-password";
      };
    };
  };
}
