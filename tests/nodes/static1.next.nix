# static1 with another seal key, while the storage is still sealed with the one before.
{ lib, ... }:
{
  imports = [ ./static1.nix ];
  vault.server.seal.static = {
    keyId = "2";
    keyFile = lib.mkForce "/etc/openbao/seal-key-2";
    previousKeyId = "1";
    previousKeyFile = "/etc/openbao/seal-key";
  };
}
