# The same host with the module.
{
  imports = [ ./legacy.nix ];
  test.withModule = true;
}
