# The types of options that several files share.
{ lib }:
let
  inherit (lib) types;
in
{
  # Not types.path: a path of Nix is copied to the store, where everybody can read it.
  absolutePath = types.strMatching "/.*" // {
    description = "absolute path as a string";
  };

  address = types.strMatching "https?://[^[:space:],]+" // {
    description = "address such as https://openbao.example.internal:8200";
  };

  # A duration that systemd.time(7) and the programs both accept.
  duration =
    types.strMatching "([0-9]+ ?(ms|msec|s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?|w|weeks?|M|months?|y|years?) ?)+"
    // {
      description = "duration such as 90s, 12h or 7d";
    };

  # As OpenBao takes it.
  ttl = types.strMatching "[0-9]+[smhd]" // {
    description = "duration such as 90m, 720h or 30d";
  };

  # The characters of a calendar expression; system.checks has systemd-analyze read it.
  calendar = types.strMatching "[A-Za-z0-9*,:/.~ +_-]+" // {
    description = "calendar expression of systemd, such as hourly or 03:30";
  };

  fileMode = types.strMatching "0?[0-7]{3}" // {
    description = "mode in octal, such as 0400";
  };

  fileName = types.strMatching "[^/[:cntrl:]]+" // {
    description = "name of a file";
  };

  # Assertions check the paths of secrets further.
  apiPath = types.strMatching "[^[:cntrl:]]+" // {
    description = "path in OpenBao's API";
  };

  # `10.0.0.21:9410`, `[::]:9410`
  listenAddress = types.strMatching "[^[:space:]]+:[0-9]+" // {
    description = "address and port, such as 127.0.0.1:9410";
  };

  ageRecipient = types.strMatching "age1[a-z0-9]+" // {
    description = "age recipient";
  };

  # The name of a service, with or without its suffix.
  serviceName = types.coercedTo types.str (lib.removeSuffix ".service") types.str // {
    description = "name of a service";
  };
}
