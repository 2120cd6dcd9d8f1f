configurations:
let
  selected = SELECTED;
  names = builtins.attrNames configurations;
  chosen = builtins.filter (name: selected == [ ] || builtins.elem name selected) names;

  list = value: if value == null then [ ] else value;
  contains = text: part: builtins.replaceStrings [ part ] [ "" ] text != text;
  startsWith = text: start: builtins.substring 0 (builtins.stringLength start) text == start;

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
      # `/run/secrets/db` is also in `/run/secrets/db-replica`, which is taken out first.
      paths = map (declared: declared.path) (builtins.attrValues sops ++ builtins.attrValues age);
      readers =
        path:
        let
          longer = builtins.filter (other: other != path && startsWith other path) paths;
          without = builtins.replaceStrings longer (map (_: "") longer);
        in
        builtins.filter (name: contains (without texts.${name}) path) (builtins.attrNames services);
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

  # The files that define secrets of a host, as far as its evaluation tells.
  filesOf =
    name:
    let
      options = configurations.${name}.options or { };
      definitions =
        (options.sops.secrets.definitionsWithLocations or [ ])
        ++ (options.sops.templates.definitionsWithLocations or [ ])
        ++ (options.age.secrets.definitionsWithLocations or [ ]);
      files = map (one: builtins.unsafeDiscardStringContext (toString one.file)) definitions;
      tried = builtins.tryEval (builtins.deepSeq files files);
    in
    if tried.success then tried.value else [ ];
  others = builtins.filter (name: !builtins.elem name chosen) names;

  declares =
    name:
    let
      inherit (configurations.${name}) config;
    in
    config.sops.secrets or { } != { } || config.age.secrets or { } != { };
in
{
  inherit names;
  # Only for a change of files, because it evaluates every host.
  others =
    if WITH_OTHERS then
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = filesOf name;
        }) others
      )
    else
      { };
  hosts = builtins.listToAttrs (
    map (name: {
      inherit name;
      value = ofHost configurations.${name}.config // {
        files = filesOf name;
      };
    }) (builtins.filter declares chosen)
  );
}
