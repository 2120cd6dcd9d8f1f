configurations:
let
  selected = SELECTED;
  names = builtins.attrNames configurations;
  chosen = builtins.filter (name: selected == [ ] || builtins.elem name selected) names;

  list = value: if value == null then [ ] else value;
  contains = text: part: builtins.replaceStrings [ part ] [ "" ] text != text;

  # The settings of a unit in which a path can stand. One that does not evaluate has none.
  settings =
    unit:
    let
      text = builtins.unsafeDiscardStringContext (
        builtins.toJSON [
          (unit.serviceConfig or { })
          (unit.environment or { })
          (unit.script or "")
          (unit.preStart or "")
          (unit.postStart or "")
        ]
      );
      tried = builtins.tryEval (builtins.deepSeq text text);
    in
    if tried.success then tried.value else "";

  ofHost =
    config:
    let
      services = config.systemd.services or { };
      texts = builtins.mapAttrs (_: settings) services;
      readers = path: builtins.filter (name: contains texts.${name} path) (builtins.attrNames services);
      named =
        secret: attribute: number: fallback:
        let
          name = secret.${attribute} or null;
        in
        if name != null then toString name else toString (secret.${number} or fallback);

      # Files that are read before there is a network: of users and of the initrd.
      early =
        builtins.concatMap (user: [
          (user.hashedPasswordFile or null)
          (user.passwordFile or null)
        ]) (builtins.attrValues (config.users.users or { }))
        ++ map toString (builtins.attrValues (config.boot.initrd.secrets or { }));

      secret = tool: name: declared: {
        inherit tool name;
        owner = named declared "owner" "uid" "root";
        group = named declared "group" "gid" "root";
        mode = toString declared.mode;
        inherit (declared) path;
        readers = readers declared.path;
        needed_early = declared.neededForUsers or false || builtins.elem declared.path early;
      };

      sops = config.sops.secrets or { };
      sopsSecret =
        name:
        let
          declared = sops.${name};
        in
        secret "sops-nix" name declared
        // {
          file = builtins.unsafeDiscardStringContext (toString declared.sopsFile);
          format = declared.format or "yaml";
          key = declared.key or name;
          default_path = "${
            if declared.neededForUsers or false then
              "/run/secrets-for-users"
            else
              toString (config.sops.defaultSymlinkPath or "/run/secrets")
          }/${declared.name or name}";
          restart_units = list (declared.restartUnits or [ ]);
          reload_units = list (declared.reloadUnits or [ ]);
        };

      age = config.age.secrets or { };
      ageSecret =
        name:
        let
          declared = age.${name};
        in
        secret "agenix" name declared
        // {
          file = builtins.unsafeDiscardStringContext (toString declared.file);
          format = "";
          key = "";
          default_path = "${toString (config.age.secretsDir or "/run/agenix")}/${declared.name or name}";
          restart_units = [ ];
          reload_units = [ ];
        };

      templates = config.sops.templates or { };
      # A template that is only a file has no text here, and its placeholders are unknown.
      text = template: builtins.unsafeDiscardStringContext (template.content or "");
    in
    {
      hostname = config.networking.hostName;
      secrets_directory =
        if config.vault.enable or false then toString config.vault.secretsDirectory else null;
      secrets = map sopsSecret (builtins.attrNames sops) ++ map ageSecret (builtins.attrNames age);
      templates = map (name: {
        inherit name;
        inherit (templates.${name}) path;
        secrets = builtins.filter (
          secret: contains (text templates.${name}) config.sops.placeholder.${secret}
        ) (builtins.attrNames sops);
      }) (builtins.attrNames templates);
    };

  declares =
    name:
    let
      inherit (configurations.${name}) config;
    in
    config.sops.secrets or { } != { } || config.age.secrets or { } != { };
in
{
  inherit names;
  hosts = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = ofHost configurations.${name}.config;
    }) (builtins.filter declares chosen)
  );
}
