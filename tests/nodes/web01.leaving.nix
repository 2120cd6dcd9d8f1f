# web01, of which nothing is to be left when the module is disabled.
{
  imports = [ ./web01.nix ];
  vault.cleanup = "everything";
}
