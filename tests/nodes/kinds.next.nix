# The same host, on which a switch changes a service.
{
  imports = [ ./kinds.nix ];
  systemd.services.app.environment.GENERATION = "next";
}
