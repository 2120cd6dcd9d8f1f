# Checks of the directories of secrets: each secret has its own, where nothing else writes.
{
  config,
  lib,
  options,
  ...
}:
let
  inherit (lib)
    concatMap
    filter
    hasPrefix
    optional
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

  place = option: path: example: { inherit option path example; };
  outputOf = name: secret: place "${option name}.outputDir" secret.outputDir "/run/secrets/${name}";
  cacheOf =
    name: secret: place "${option name}.cacheDir" secret.cacheDir "/var/lib/vault/cache/${name}";

  # The directories with values.
  outputs =
    perSecret (name: secret: [ (outputOf name secret) ])
    ++ perTemplate (
      name: template: [
        (place "${optionOfTemplate name}.outputDir" template.outputDir "/run/vault-templates/${name}")
      ]
    );
  # Replaced as a whole when a secret changes.
  replaced =
    outputs ++ perSecret (name: secret: optional (secret.cacheDir != null) (cacheOf name secret));
  credentials = place "vault.appRoleDirectory" cfg.appRoleDirectory "/var/lib/vault/approle";
  shared = [
    (place "vault.secretsDirectory" cfg.secretsDirectory "/run/secrets")
    (place "vault.cacheDirectory" cfg.cacheDirectory "/var/lib/vault/cache")
  ];
  used = replaced ++ [ credentials ];

  isInside = outer: inner: hasPrefix "${outer}/" inner;
  inStore = path: isInside builtins.storeDir path;

  # They stand in lists of systemd, where blanks and `%` mean something.
  isPlain =
    path:
    builtins.match "(/[A-Za-z0-9_.@+=,-]+)+" path != null
    &&
      lib.intersectLists (lib.splitString "/" path) [
        "."
        ".."
      ] == [ ];
  written = concatMap (
    place:
    refuse (inStore place.path) "${place.option} is `${place.path}`: everybody can read what is in the Nix store. Write a directory as `${place.example}`."
    ++
      refuse (!isPlain place.path && !inStore place.path)
        "${place.option} is `${place.path}`: write a directory as `${place.example}`, with letters, digits and `_.@+=,-` only, without `.`, `..` or a `/` at its end."
  ) (used ++ shared);
  high = concatMap (
    place:
    refuse (isPlain place.path && dirOf place.path == "/")
      "${place.option} is `${place.path}`: it is replaced as a whole, so it must be a directory in another one, as `${place.example}` is."
  ) used;

  same = concatMap (
    path:
    let
      here = map (place: place.option) (filter (place: place.path == path) used);
    in
    refuse (lib.length here > 1) "${quoted here} are all `${path}`: each needs its own directory."
  ) (lib.unique (map (place: place.path) used));

  nested = concatMap (
    outer:
    concatMap (
      inner:
      refuse (isInside outer.path inner.path) "${inner.option} (`${inner.path}`) lies inside ${outer.option} (`${outer.path}`): each needs its own directory."
    ) (used ++ shared)
    ++ concatMap (
      whole:
      refuse (outer.path == whole.path)
        "${outer.option} is `${outer.path}`, which is ${whole.option}, the directory of all secrets: each secret needs its own directory in it."
    ) shared
  ) used;

  links = import ../neighbours.nix { inherit config lib options; };
  foreign = concatMap (
    place:
    concatMap (
      link:
      refuse (link.path == place.path || isInside link.path place.path)
        "${place.option} is `${place.path}`, in `${link.path}`, which ${link.by} replaces as a whole. Without ${place.option} and vault.secretsDirectory another directory is used."
    ) links
  ) outputs;

  # systemd removes it when vault-secrets.service ends.
  markers = "/run/${config.systemd.services.vault-secrets.serviceConfig.RuntimeDirectory}";
  removed = concatMap (
    place:
    refuse (markers == place.path || isInside markers place.path)
      "${place.option} is `${place.path}`, in `${markers}`, which systemd removes when vault-secrets.service ends. Write a directory as `${place.example}`."
  ) outputs;

  lasting =
    concatMap (
      place:
      optional (!isInside "/run" place.path && !inStore place.path)
        "${place.option} is `${place.path}`, not in /run: the secret then lies on the disk as plain text, and stays there when the host is off."
    ) outputs
    ++ perSecret (
      name: secret:
      optional (secret.cacheDir != null && isInside "/run" secret.cacheDir)
        "${option name}.cacheDir is `${secret.cacheDir}`: after a reboot /run is empty, and there is no copy while OpenBao is down."
    );
in
{
  config = lib.mkIf cfg.enable {
    assertions = written ++ high ++ same ++ nested ++ foreign ++ removed;
    warnings = lasting;
  };
}
