# The difference between one machine and a NixOS without our modules and the machine's own file.
{
  lib,
  store,
  name,
  config,
  baseline,
}:
let
  inherit (lib)
    attrValues
    concatLists
    filterAttrs
    mapAttrs
    mapAttrsToList
    subtractLists
    ;

  # Debian has its own locales and time zones, and reads no [Install] of a unit that is linked
  # already.
  isOfNixos =
    line:
    lib.hasPrefix ''Environment="LOCALE_ARCHIVE='' line || lib.hasPrefix ''Environment="TZDIR='' line;
  unitText =
    text:
    let
      uninstalled = lib.head (lib.splitString "\n[Install]\n" text);
    in
    lib.concatLines (lib.filter (line: !isOfNixos line) (lib.splitString "\n" (lib.trim uninstalled)));

  textsOf =
    machine:
    mapAttrs (_: unit: unitText unit.text) (filterAttrs (_: unit: unit.enable) machine.systemd.units);
  # With what NixOS has in them carried along, to be found again.
  carried = textsOf config;
  known = mapAttrs (_: store.plain) (textsOf baseline);
  added = filterAttrs (unit: text: known.${unit} or null != store.plain text) carried;

  fileOf =
    unit:
    if config.systemd.units.${unit}.overrideStrategy == "asDropin" then
      "${unit}.d/overrides.conf"
    else
      unit;

  linksOf =
    unit:
    filterAttrs (_: names: names != [ ]) {
      inherit (config.systemd.units.${unit})
        aliases
        requiredBy
        upheldBy
        wantedBy
        ;
    };

  # Only what has a new name: what NixOS has on every machine, Debian has in its own way.
  new = select: removeAttrs (select config) (lib.attrNames (select baseline));

  etc = mapAttrs (
    file: entry:
    if entry.text != null then
      entry.text
    else
      throw "${name}: environment.etc.\"${file}\" has no text, and cannot be rendered."
  ) (filterAttrs (_: entry: entry.enable) (new (machine: machine.environment.etc)));

  tmpfilesOf =
    machine:
    machine.systemd.tmpfiles.rules
    ++ concatLists (
      mapAttrsToList (
        _: paths: concatLists (mapAttrsToList (path: types: map (rule path) (attrValues types)) paths)
      ) machine.systemd.tmpfiles.settings
    );
  rule =
    path: entry:
    lib.trim "'${entry.type}' '${path}' '${entry.mode}' '${entry.user}' '${entry.group}' '${entry.age}' ${entry.argument}";
  tmpfiles = subtractLists (tmpfilesOf baseline) (tmpfilesOf config);

  # The names of the packages on a machine's PATH.
  namesOf = machine: map lib.getName machine.environment.systemPackages;
  path = lib.naturalSort (lib.unique (subtractLists (namesOf baseline) (namesOf config)));

  texts = attrValues added ++ attrValues etc ++ tmpfiles;
  files = lib.mergeAttrsList (map store.files texts);
  ownName = file: lib.head (lib.splitString "/" file);
  packages = subtractLists (map ownName (lib.attrNames files)) (
    lib.concatMap store.packages (map store.plain texts ++ mapAttrsToList (_: file: file.text) files)
  );

  failed = map (assertion: assertion.message) (
    lib.filter (assertion: !assertion.assertion) config.assertions
  );
in
if failed != [ ] then
  throw "${name}: ${lib.concatStringsSep "\n" failed}"
else
  {
    units = lib.mapAttrs' (unit: text: lib.nameValuePair (fileOf unit) (store.plain text)) added;

    manifest = {
      links = filterAttrs (_: links: links != { }) (mapAttrs (unit: _: linksOf unit) added);
      users = mapAttrs (_: user: {
        inherit (user)
          createHome
          extraGroups
          group
          home
          uid
          ;
      }) (new (machine: machine.users.users));
      groups = mapAttrs (_: group: { inherit (group) gid members; }) (
        new (machine: machine.users.groups)
      );
      tmpfiles = map store.plain tmpfiles;
      etc = mapAttrs (_: store.plain) etc;
      store = files;
      packages = lib.naturalSort (lib.unique packages);
      inherit path;
      inherit (config) warnings;
    };
  }
