# The same host after a switch: each service has one secret less and one more, and the others have
# another mode, owner, template, path in OpenBao and directory for their copies.
{
  imports = [ ./flags.nix ];
  test.isNext = true;
}
