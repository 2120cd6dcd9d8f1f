# Types of options that several files have.
{ lib }:
let
  inherit (lib) types;
in
{
  # Not types.path: what a path of Nix names goes to the store, where everybody can read it.
  folder = types.strMatching "/.*" // {
    description = "absolute path as a text";
  };

  address = types.strMatching "https?://[^[:space:],]+" // {
    description = "address such as https://openbao.example.internal:8200";
  };

  # The name of a service, with or without its suffix.
  serviceName = types.coercedTo types.str (lib.removeSuffix ".service") types.str // {
    description = "name of a service";
  };
}
