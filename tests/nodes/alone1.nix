# One node whose key share lies on it: unsealed with each start, and its root token revoked.
{
  imports = [ ./lib/single.nix ];
  networking.hostName = "alone1";
  vault.server = {
    unseal = {
      enable = true;
      mode = "with-openbao";
    };
    initialization.revokeRootToken = true;
  };
}
