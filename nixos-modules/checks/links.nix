# Checks of links to files of secrets: each has its own path, where nothing else puts a file.
{ config, lib, ... }:
let
  inherit (lib)
    concatMap
    filter
    hasPrefix
    ;
  cfg = config.vault;
  inherit (import ./tools.nix { inherit config lib; })
    option
    perSecret
    quoted
    refuse
    ;

  links = perSecret (
    name: secret:
    map (path: {
      option = "${option name}.links";
      inherit path;
      file = secret.links.${path};
    }) (lib.attrNames secret.links)
  );

  isBelow = folder: path: hasPrefix "${folder}/" path;
  isPlain =
    path:
    builtins.match "(/[A-Za-z0-9_.@+=,-]+)+" path != null
    &&
      lib.intersectLists (lib.splitString "/" path) [
        "."
        ".."
      ] == [ ];

  # Not seen by the unit that makes links, or gone when it ends.
  hidden = [
    "/dev"
    "/home"
    "/nix"
    "/proc"
    "/root"
    "/run/user"
    "/sys"
    "/tmp"
    "/usr"
    "/var/tmp"
  ];
  # Replaced or kept by these programs as a whole.
  kept =
    perSecret (
      _: secret: [ secret.outputDir ] ++ lib.optional (secret.cacheDir != null) secret.cacheDir
    )
    ++ map (template: template.outputDir) (lib.attrValues cfg.templates)
    ++ [
      cfg.appRoleDirectory
      cfg.secretsDirectory
      cfg.cacheDirectory
    ];

  # Files that NixOS puts into /etc.
  etc = map (file: "/etc/${file.target}") (
    filter (file: file.enable) (lib.attrValues config.environment.etc)
  );

  perLink =
    link:
    let
      inherit (link) path;
      here = filter (other: other.path == path) links;
      within = filter (folder: path == folder || isBelow folder path) kept;
      unseen = filter (folder: path == folder || isBelow folder path) hidden;
      inEtc = filter (file: file == path || isBelow file path || isBelow path file) etc;
    in
    refuse (!isPlain path)
      "${link.option} has `${path}`: write a link as `/etc/app.conf`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end."
    ++ refuse (lib.elem link.file [
      "."
      ".."
    ]) "${link.option} leads `${path}` to `${link.file}`: it must be a plain file name."
    ++
      refuse (isPlain path && within != [ ])
        "${link.option} has `${path}`, in `${lib.concatStrings (lib.take 1 within)}`, which holds secrets and nothing else."
    ++
      refuse (isPlain path && unseen != [ ])
        "${link.option} has `${path}`: vault-setup.service makes no links in `${lib.concatStrings (lib.take 1 unseen)}`."
    ++
      refuse (hasPrefix "/etc/" path && inEtc != [ ])
        "${link.option} has `${path}`, and environment.etc puts `${lib.concatStrings (lib.take 1 inEtc)}` there. Leave one of the two out."
    ++
      refuse (lib.length here > 1 && lib.head here == link)
        "${
          quoted (map (other: other.option) here)
        } both have `${path}`: each link needs a path of its own.";
in
{
  config.assertions = lib.mkIf cfg.enable (concatMap perLink links);
}
