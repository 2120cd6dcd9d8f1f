# static1 with the new seal key alone.
{ lib, ... }:
{
  imports = [ ./static1.nix ];
  vault.server.seal.static = {
    keyId = "2";
    keyFile = lib.mkForce "/etc/openbao/seal-key-2";
  };
}
