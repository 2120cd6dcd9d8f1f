# Templates over several secrets.
{ lib, ... }:
let
  template = content: more: {
    vault = {
      secrets = {
        db = { };
        "db.main" = { };
        smtp-relay = { };
      };
      templates.app = {
        inherit content;
      }
      // more;
    };
  };
  declared = "there are `db`, `db.main`, `smtp-relay`.";
  after = config: config.systemd.services.vault-template-app.after;
in
{
  "a template of two secrets" = {
    config = template "{{ db.password }} {{ smtp-relay.user.name | json }}{{ db.password }}" {
      services = [ "app" ];
    };
    holds = config: {
      "what the unit is after" =
        after config == [
          "vault-setup.service"
          "vault-secrets.service"
          "vault-secret-db.service"
          "vault-secret-smtp-relay.service"
        ];
      "what requires it" = config.systemd.services.vault-template-app.requiredBy == [ "app.service" ];
      "that the service requires each secret" =
        config.systemd.services.vault-secret-db.requiredBy == [ "app.service" ]
        && config.systemd.services.vault-secret-smtp-relay.requiredBy == [ "app.service" ];
      "that other secrets are none of it" =
        config.systemd.services."vault-secret-db.main".requiredBy == [ ];
      "that the key is required" =
        lib.hasInfix "'--template-key=app=user.name | json'" config.systemd.services.vault-secret-smtp-relay.serviceConfig.ExecStart;
      "that a fetch renders it" =
        config.systemd.services.vault-secret-db.unitConfig.OnSuccess
        == "vault-secrets-prove.service vault-template-app.service";
      "that a boot renders it, whenever its service starts" =
        config.systemd.services.vault-template-app.wantedBy == [ "multi-user.target" ];
      "that a fetch that finds its secret gone takes the file away" =
        config.systemd.services.vault-secret-db.unitConfig.OnFailure
        == "vault-secret-retry@db.service vault-template-app.service";
      "where the file is" = config.vault.templates.app.path == "/run/vault-templates/app/app";
      "that a rotation has its services" =
        config.vault.declarations.secrets.db.services == [ "app.service" ]
        && config.vault.declarations.secrets.db.template_keys == { app = [ "password" ]; };
      "its declaration" = config.vault.declarations.templates.app.services == [ "app.service" ];
    };
  };
  "a template without services" = {
    config = template "{{ db.password }}" { };
    holds = config: {
      "that a boot renders it" =
        config.systemd.services.vault-template-app.wantedBy == [ "multi-user.target" ];
    };
  };
  "three braces" = {
    config = template "map = {{{ db.password }}" { };
    failed = [
      "vault.templates.app has `{{` without a placeholder such as `{{ db.password }}` behind it, on the same line. Text with braces is `{{ \"{{\" }}`."
    ];
  };
  "a text that is no string of JSON" = {
    config = template "{{ \"\\x\" }}" { };
    failed = [
      "vault.templates.app has `{{ \"\\x\" }}`, which begins with the name of no declared secret; ${declared}"
    ];
  };
  "a secret of a user with a large number" = {
    config = lib.recursiveUpdate (template "{{ db.password }}" { }) {
      vault.secrets.db.owner = "100000";
      vault.secrets.smtp-relay.services = [ "app" ];
    };
    holds = config: {
      "that it can be read again after a roll-back" =
        config.systemd.services.vault-secrets-prove.serviceConfig.PrivateUsers or null
        == config.systemd.services.vault-secret-db.serviceConfig.PrivateUsers or null;
      "that its file can be read" =
        config.systemd.services.vault-template-app.serviceConfig.PrivateUsers or null
        == config.systemd.services.vault-secret-db.serviceConfig.PrivateUsers or null;
    };
  };
  "a template on the disk" = {
    config = template "{{ db.password }}" { outputDir = "/var/lib/app/conf"; };
    warned = [
      "vault.templates.app.outputDir is `/var/lib/app/conf`, not in /run: the secret then lies on the disk as plain text, and stays there when the host is off."
    ];
  };
  "a template where systemd removes it" = {
    config = template "{{ db.password }}" { outputDir = "/run/vault-fetched/app"; };
    failed = [
      "vault.templates.app.outputDir is `/run/vault-fetched/app`, in `/run/vault-fetched`, which systemd removes when vault-secrets.service ends. Write a directory as `/run/vault-templates/app`."
    ];
  };
  "a secret whose name has a dot" = {
    config = template "{{ db.main.password }}" { };
    holds = config: {
      "that the longest name counts" = config.vault.templates.app.secrets == [ "db.main" ];
    };
  };
  "text with braces" = {
    config = template "{{ \"{{ db.password }}\" }} { {{ db.password }} } {{ \"a \\\" }} b\" }}" { };
    holds = config: {
      "the secrets" = config.vault.templates.app.secrets == [ "db" ];
    };
  };
  "a template in a file" = {
    config = template null { source = ./app.conf.in; };
    holds = config: {
      "its text" = config.vault.declarations.templates.app.content == "password = {{ db.password }}\n";
    };
  };
  "a secret that is not declared" = {
    config = template "{{ smtp.password }} {{ db-main.password }}" { };
    failed = [
      "vault.templates.app has `{{ smtp.password }}`, which begins with the name of no declared secret; ${declared}"
      "vault.templates.app has `{{ db-main.password }}`, which begins with the name of no declared secret; ${declared}"
    ];
  };
  "a placeholder without a key" = {
    config = template "{{ db }} {{ db. }}" { };
    failed = [
      "vault.templates.app has `{{ db }}`, which begins with the name of no declared secret; ${declared}"
      "vault.templates.app has `{{ db. }}`, which begins with the name of no declared secret; ${declared}"
    ];
  };
  "a placeholder that is not closed" = {
    config = template "{{ db.password\n}}" { };
    failed = [
      "vault.templates.app has `{{` without a placeholder such as `{{ db.password }}` behind it, on the same line. Text with braces is `{{ \"{{\" }}`."
    ];
  };
  "a filter that is none" = {
    config = template "{{ db.password | upper }}" { };
    failed = [
      "vault.templates.app: `upper` is not a filter; there are `base64`, `base64decode`, `json`, `url`, one for a placeholder."
    ];
  };
  "neither a text nor a file" = {
    config = template null { };
    failed = [ "vault.templates.app needs either `content` or `source`, and not both." ];
  };
  "a file of a secret in place of a key" = {
    config = lib.recursiveUpdate (template "{{ db.env }}" { }) {
      vault.secrets.db.environmentFile = "env";
    };
    failed = [
      "vault.templates.app has `{{ db.env }}`, and `env` is a file that vault.secrets.db makes. Name its keys instead."
    ];
  };
  "a key that is decoded twice" = {
    config = lib.recursiveUpdate (template "{{ db.keystore | base64decode }}" { }) {
      vault.secrets.db.encoding.keystore = "base64";
    };
    failed = [
      "vault.templates.app has `{{ db.keystore | base64decode }}`, and vault.secrets.db.encoding decodes that key already. Use `{{ db.keystore }}` for its bytes, or `{{ db.keystore | base64 }}`."
    ];
  };
  "an owner and a service that do not exist" = {
    config = template "{{ db.password }}" {
      owner = "nobody-here";
      services = [ "postgresql" ];
    };
    failed = [
      "vault.templates.app.owner is `nobody-here`, and this host has no such user. Declare `users.users.nobody-here`."
      "vault.templates.app.services names `postgresql`, and this host has no such service. Where a package brings its unit (systemd.packages), add it to vault.packagedServices."
    ];
  };
  "the directory of a secret" = {
    config = template "{{ db.password }}" { outputDir = "/run/secrets/db"; };
    failed = [
      "`vault.secrets.db.outputDir`, `vault.templates.app.outputDir` are all `/run/secrets/db`: each needs its own directory."
    ];
  };
  "a name that no unit can have" = {
    config = {
      vault.secrets.db = { };
      vault.templates."a b".content = "{{ db.password }}";
    };
    failed = [
      "vault.templates.a b: a template's name becomes the name of a unit and a directory: letters, digits, `_`, `.` and `-` only, a letter or digit first. Another name of the file is for vault.templates.a b.file to say."
      "vault.templates.a b.outputDir is `/run/vault-templates/a b`: write a directory as `/run/vault-templates/a b`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end."
    ];
  };
  "a service that cannot be reloaded" = {
    config = lib.recursiveUpdate (template "{{ db.password }}" { services = [ "app" ]; }) {
      vault.secrets.db = {
        restartTrigger = true;
        onChange = "reload";
      };
    };
    failed = [
      "vault.secrets.db.onChange is `reload`, and `app` cannot be reloaded (it has no ExecReload). Set it to `restart`."
    ];
  };
}
