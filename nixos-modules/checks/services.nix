# Checks of the services that secrets name: they exist, and support the declared actions.
{ config, lib, ... }:
let
  inherit (lib)
    concatMap
    elem
    filter
    hasInfix
    hasSuffix
    optional
    optionals
    ;
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; })
    option
    optionOfTemplate
    perSecret
    perTemplate
    quoted
    refuse
    ;

  template = service: "${lib.head (lib.splitString "@" service)}@";
  # An instance is what it and its template say.
  unitsOf =
    service:
    map (name: config.systemd.services.${name} or { }) (
      [ service ] ++ optional (hasInfix "@" service) (template service)
    );

  # This module itself adds to the services, so that they are in `systemd.services` says nothing.
  runs =
    name:
    let
      unit = config.systemd.services.${name} or { };
    in
    unit.serviceConfig or { } ? ExecStart || unit.script or "" != "";
  isDeclared = service: runs service || hasInfix "@" service && runs (template service);
  exists = service: isDeclared service || elem service cfg.packagedServices;

  # Of secrets and of templates over several secrets.
  perService =
    check:
    let
      perOption = where: declared: concatMap (check where) declared.services;
    in
    perSecret (name: perOption (option name)) ++ perTemplate (name: perOption (optionOfTemplate name));

  # The names that may have been meant: those that contain this one, or that it contains.
  similar =
    service:
    let
      near = name: name != service && (hasInfix service name || hasInfix name service) && runs name;
    in
    lib.take 4 (filter near (lib.attrNames config.systemd.services));

  otherUnits = [
    ".mount"
    ".path"
    ".slice"
    ".socket"
    ".target"
    ".timer"
  ];
  whyMissing =
    service:
    let
      near = similar service;
    in
    if lib.any (suffix: hasSuffix suffix service) otherUnits then
      "and only services can need a secret. Name the service behind it."
    else if config.systemd.user.services ? ${service} then
      "which users run (systemd.user.services): it cannot wait for the system's. Leave it out; the secret is then fetched at boot."
    else
      "and this host has no such service."
      + lib.optionalString (near != [ ]) " It has ${quoted near}."
      + " Where a package brings its unit (systemd.packages), add it to vault.packagedServices.";

  present = perService (
    where: service:
    if hasSuffix "@" service then
      refuse true "${where}.services names `${service}`, a template: name its instances, such as `${service}1`."
    else
      refuse (!exists service) "${where}.services names `${service}`, ${whyMissing service}"
  );

  # Secrets come over the network: what it waits for would wait for the secret in turn.
  early = [
    "basic.target"
    "network-online.target"
    "network-pre.target"
    "network.target"
    "sysinit.target"
  ];
  tooEarly = perService (
    where: service:
    let
      before = lib.intersectLists early (
        concatMap (unit: unit.before or [ ] ++ unit.wantedBy or [ ] ++ unit.requiredBy or [ ]) (
          unitsOf service
        )
      );
    in
    refuse (before != [ ])
      "${where}.services names `${service}`, which starts before ${lib.head before}, and so before the network, which secrets need: they would wait for each other. Name services that start when the network is up."
  );

  canReload =
    service:
    elem service cfg.packagedServices
    || lib.any (
      unit:
      unit.serviceConfig or { } ? ExecReload
      || unit.reload or "" != ""
      || unit.serviceConfig.Type or "" == "notify-reload"
    ) (unitsOf service);
  reloads = perSecret (
    name: secret:
    concatMap (
      service:
      refuse
        (secret.restartTrigger && secret.onChange == "reload" && isDeclared service && !canReload service)
        "${option name}.onChange is `reload`, and `${service}` cannot be reloaded (it has no ExecReload). Set it to `restart`."
    ) secret.usedBy
  );

  credentials = perSecret (
    name: secret:
    refuse (secret.asCredential && secret.onChange == "reload")
      "${option name}: systemd passes credentials (asCredential) when a service starts, so a reload has the old ones. Set onChange to `restart`."
    ++ refuse (
      secret.asCredential && secret.services == [ ]
    ) "${option name}.asCredential is set, but no service is named in ${option name}.services."
    ++ concatMap (
      service:
      refuse (secret.asCredential && lib.any (unit: unit.reloadIfChanged or false) (unitsOf service))
        "${option name}.asCredential is set, and a switch reloads `${service}` (reloadIfChanged): systemd passes credentials when a service starts, so a reload has the old ones. Leave out reloadIfChanged, or use files."
    ) secret.services
  );

  idle = perSecret (
    name: secret:
    let
      found = filter (service: elem service cfg.criticalServices) secret.usedBy;
      set =
        optional (secret.restartInterval != "hourly") "restartInterval"
        ++ optional (secret.onChange != "restart") "onChange";
    in
    optional (secret.restartTrigger && found != [ ])
      "${option name}.restartTrigger has no effect: ${quoted found} is in vault.criticalServices, and is never restarted for a new version. Restart it by hand: its start fetches the new version."
    ++ optionals (!secret.restartTrigger && set != [ ]) [
      "${option name}: ${quoted set} without restartTrigger has no effect: new versions are not deployed."
    ]
  );
in
{
  options.vault.packagedServices = lib.mkOption {
    type = lib.types.listOf (import ../types.nix { inherit lib; }).serviceName;
    default = [ ];
    example = [ "ceph-osd@1" ];
    description = ''
      Services that secrets may name although no NixOS option declares them, because a package brings
      their units (`systemd.packages`).
    '';
  };

  config = lib.mkIf cfg.enable {
    assertions = present ++ tooEarly ++ reloads ++ credentials;
    warnings = idle;
  };
}
