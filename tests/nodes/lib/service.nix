# A small service that uses a secret: it reads a file when it starts (`use`), says in /run/<name>/
# what it read and how often it was started, and does not come up where it read `bad`. `before` are
# commands between reading and being ready.
{ pkgs, lib }:
{
  name,
  file,
  user ? null,
  reload ? false,
  before ? "",
}:
{
  description = "Reads ${file}";
  wantedBy = [ "multi-user.target" ];
  serviceConfig = {
    Type = "notify";
    NotifyAccess = "all";
    RuntimeDirectory = name;
    RuntimeDirectoryPreserve = true;
    User = lib.mkIf (user != null) user;
    ExecStart = pkgs.writeShellScript "${name}-start" ''
      value=$(cat "${file}") || exit 1
      echo started >> /run/${name}/starts
      if [ "$value" = bad ]; then
        echo "the password is refused" >&2
        exit 1
      fi
      ${before}printf %s "$value" > /run/${name}/value
      systemd-notify --ready
      exec sleep infinity
    '';
    ExecReload = lib.mkIf reload (
      pkgs.writeShellScript "${name}-reload" ''
        value=$(cat "${file}") || exit 1
        echo reloaded >> /run/${name}/starts
        [ "$value" != bad ] || exit 1
        printf %s "$value" > /run/${name}/value
      ''
    );
  };
}
