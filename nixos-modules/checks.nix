# What would go wrong on the host, said when its configuration is evaluated, by the user's own names.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib)
    concatMap
    concatStringsSep
    filter
    filterAttrs
    hasPrefix
    mapAttrsToList
    unique
    ;
  cfg = config.vault;

  option = name: "vault.secrets.${name}";
  quoted = names: concatStringsSep ", " (map (name: "`${name}`") names);

  perSecret = check: concatMap (name: check name cfg.secrets.${name}) (lib.attrNames cfg.secrets);

  refuse = holds: message: [
    {
      assertion = !holds;
      inherit message;
    }
  ];

  isNumber = text: builtins.match "[0-9]+" text != null;

  names = perSecret (
    name: _:
    refuse (builtins.match "[A-Za-z0-9][A-Za-z0-9_.-]*" name == null)
      "${option name}: a secret's name becomes the name of units and folders: letters, digits, `_`, `.` and `-` only, a letter or digit first."
  );

  paths = perSecret (
    name: secret:
    refuse
      (lib.any (
        segment:
        lib.elem segment [
          ""
          "."
          ".."
        ]
      ) (lib.splitString "/" secret.secretPath))
      "${option name}.secretPath is `${secret.secretPath}`: a path reads `hosts/web01/db`, without an empty segment, `.` or `..`."
  );

  owners = perSecret (
    name: secret:
    refuse (!isNumber secret.owner && !config.users.users ? ${secret.owner})
      "${option name}.owner is `${secret.owner}`, and this host has no such user. Declare `users.users.${secret.owner}`, or, for a service with DynamicUser, set ${option name}.asCredential."
    ++
      refuse (!isNumber secret.group && !config.users.groups ? ${secret.group})
        "${option name}.group is `${secret.group}`, and this host has no such group. Declare `users.groups.${secret.group}`."
  );

  # This module itself adds to the services, so that they are in `systemd.services` says nothing.
  exists =
    service:
    let
      name = if lib.hasInfix "@" service then "${lib.head (lib.splitString "@" service)}@" else service;
      runs =
        name:
        let
          unit = config.systemd.services.${name} or { };
        in
        unit.serviceConfig or { } ? ExecStart || unit.script or "" != "";
    in
    runs name || runs service || lib.elem service cfg.packagedServices;

  services = perSecret (
    name: secret:
    concatMap (
      service:
      refuse (!exists service)
        "${option name}.services names `${service}`, and this host has no such service. Where a package brings its unit (systemd.packages), add it to vault.packagedServices."
    ) secret.services
  );

  inStore = path: hasPrefix "${builtins.storeDir}/" (toString path);
  places = perSecret (
    name: secret:
    refuse (inStore secret.outputDir) "${option name}.outputDir is `${secret.outputDir}`, in the Nix store, which everybody can read. Write it as a text (\"/run/secrets/${name}\"), not as a path."
    ++
      refuse (secret.cacheDir != null && inStore secret.cacheDir)
        "${option name}.cacheDir is `${toString secret.cacheDir}`, in the Nix store, which everybody can read. Write it as a text (\"/var/lib/vault/cache/${name}\"), not as a path."
    ++
      refuse (sopsLink != null && hasPrefix "${sopsLink}/" secret.outputDir)
        "${option name}.outputDir is `${secret.outputDir}`, below `${toString sopsLink}`, which sops-nix replaces as a whole. Set it to a place of its own, or leave it out: vault.secretsDirectory then picks one."
  );
  sopsLink =
    if options ? sops && config.sops.secrets or { } != { } then
      config.sops.defaultSymlinkPath or "/run/secrets"
    else
      null;

  # Every place with the option that names it; none may hold another.
  used =
    mapAttrsToList (name: secret: {
      option = "${option name}.outputDir";
      path = secret.outputDir;
    }) cfg.secrets
    ++ mapAttrsToList (name: secret: {
      option = "${option name}.cacheDir";
      path = secret.cacheDir;
    }) (filterAttrs (_: secret: secret.cacheDir != null) cfg.secrets)
    ++ [
      {
        option = "vault.appRoleDirectory";
        path = cfg.appRoleDirectory;
      }
    ];
  same = concatMap (
    path:
    let
      here = map (place: place.option) (filter (place: place.path == path) used);
    in
    refuse (lib.length here > 1) "${quoted here} are all `${path}`: each needs a folder of its own."
  ) (unique (map (place: place.path) used));
  nested = concatMap (
    outer:
    concatMap (
      inner:
      refuse (hasPrefix "${outer.path}/" inner.path) "${inner.option} (`${inner.path}`) lies inside ${outer.option} (`${outer.path}`), which is replaced as a whole."
    ) used
  ) used;

  files = perSecret (
    name: secret:
    refuse (secret.environmentFile != null && secret.templates ? ${secret.environmentFile})
      "${option name}: the environment file and a template are both named `${toString secret.environmentFile}`."
    ++
      refuse
        (lib.any (
          file:
          lib.elem file [
            "."
            ".."
          ]
          || lib.hasInfix "/" file
        ) (lib.attrNames secret.templates))
        "${option name}.templates: `${concatStringsSep "`, `" (lib.attrNames secret.templates)}` must be plain file names."
  );

  credentials = perSecret (
    name: secret:
    refuse (secret.asCredential && secret.onChange == "reload")
      "${option name}: systemd hands credentials (asCredential) to a service when it starts, so a reload brings no new ones. Set onChange to `restart`."
    ++ refuse (
      secret.asCredential && secret.services == [ ]
    ) "${option name}.asCredential is set, but no service is named in ${option name}.services."
  );

  critical = perSecret (
    name: secret:
    let
      found = filter (service: lib.elem service cfg.criticalServices) secret.services;
    in
    lib.optional (secret.restartTrigger && found != [ ])
      "${option name}.restartTrigger has no effect: ${quoted found} is in vault.criticalServices, and is never restarted for a new version. Restart it by hand when it suits; it fetches the new version then."
  );

  plain = filter (hasPrefix "http://") cfg.address;
in
{
  options.vault.packagedServices = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    default = [ ];
    example = [ "ceph-osd@1" ];
    description = ''
      Services that secrets may name although no NixOS option declares them, because a package brings
      their units (`systemd.packages`).
    '';
  };

  config = lib.mkIf cfg.enable {
    assertions =
      names
      ++ paths
      ++ owners
      ++ services
      ++ places
      ++ same
      ++ nested
      ++ files
      ++ credentials
      ++
        refuse (cfg.bootstrap.rebuild.enable && !cfg.bootstrap.enable)
          "vault.bootstrap.rebuild needs vault.bootstrap.enable: the host it becomes would have no credentials.";

    warnings =
      critical
      ++ lib.optional cfg.tls.skipVerify "vault.tls.skipVerify is set: whoever can answer in OpenBao's place reads every secret of this host."
      ++
        lib.optional (plain != [ ])
          "vault.address has ${quoted plain} without TLS: whoever sits on the way reads every secret of this host.";
  };
}
