# The same host after a switch: one template has another text, and one is gone.
{
  imports = [ ./templated.nix ];
  test.isNext = true;
}
