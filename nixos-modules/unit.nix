# What the units of this project have in common: where they come in the boot, and their sandbox.
{
  config,
  lib,
  ...
}:
let
  cfg = config.vault;

  # Without an address of its own, a host uses the one that cloud-init wrote down.
  fromCloudInit = lib.optionalAttrs (cfg.address == [ ]) { EnvironmentFile = "-/etc/environment"; };
in
{
  # Asks OpenBao: after the network, in the sandbox, with this host's way to OpenBao.
  asking =
    {
      description,
      after ? [ ],
      wants ? [ ],
      writes,
      serviceConfig,
      ...
    }@unit:
    (removeAttrs unit [ "writes" ])
    // {
      inherit description;
      wants = [ "network-online.target" ] ++ wants;
      after = [ "network-online.target" ] ++ wants ++ after;
      environment = cfg.unitEnvironment;
      serviceConfig =
        import ./hardening.nix { tpm2 = config.security.tpm2.enable; }
        // fromCloudInit
        // {
          Type = "oneshot";
          ReadWritePaths = map (path: "-${path}") (lib.unique writes);
        }
        // serviceConfig;
    };
}
