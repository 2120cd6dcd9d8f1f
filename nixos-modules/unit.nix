# The parts that the units of this project share: their place in the boot order, and their sandbox.
{
  config,
  lib,
  ...
}:
let
  cfg = config.vault;

  # Without an address of its own, a host uses the one that cloud-init wrote down.
  fromCloudInit = lib.optionalAttrs (cfg.address == [ ]) { EnvironmentFile = "-/etc/environment"; };

  isNumber = text: builtins.match "[0-9]+" text != null;
  idOf = name: declared: if isNumber name then lib.toIntBase10 name else declared;
  isLarge = id: id != null && id > 65535;
  isLargeUser = name: isLarge (idOf name (config.users.users.${name} or { }).uid or null);
  isLargeGroup = name: isLarge (idOf name (config.users.groups.${name} or { }).gid or null);
  needsLargeIds =
    secret:
    let
      files = [ secret ] ++ lib.attrValues (secret.templates or { });
    in
    lib.any (file: file.owner != null && isLargeUser file.owner) files
    || lib.any (file: file.group != null && isLargeGroup file.group) files;
  allUsers = if lib.versionAtLeast config.systemd.package.version "258" then "full" else false;

  # For what writes the files of these secrets.
  sandbox =
    secrets:
    import ./hardening.nix {
      tpm2 = config.security.tpm2.enable;
      users = if lib.any needsLargeIds secrets then allUsers else "identity";
    };
in
{
  inherit sandbox;

  # The folders to which a fetch of these secrets writes.
  foldersOf =
    secrets:
    [ "/run/vault-fetch" ]
    ++ lib.concatMap (
      secret:
      [ (dirOf secret.outputDir) ] ++ lib.optional (secret.cacheDir != null) (dirOf secret.cacheDir)
    ) secrets;

  # Asks OpenBao: after the network, in the sandbox, with this host's way to OpenBao.
  asking =
    {
      description,
      after ? [ ],
      wants ? [ ],
      writes,
      secrets ? [ ],
      serviceConfig,
      ...
    }@unit:
    (removeAttrs unit [
      "secrets"
      "writes"
    ])
    // {
      inherit description;
      wants = [ "network-online.target" ] ++ wants;
      after = [ "network-online.target" ] ++ wants ++ after;
      environment = cfg.unitEnvironment;
      serviceConfig =
        sandbox secrets
        // fromCloudInit
        // {
          Type = "oneshot";
          # /etc/environment may hold more than the address, and is everybody's.
          UnsetEnvironment = "LD_LIBRARY_PATH LD_PRELOAD BAO_WRAPPED_TOKEN VAULT_WRAPPED_TOKEN";
          ReadWritePaths = map (path: "-${path}") (lib.unique writes);
        }
        // serviceConfig;
    };
}
