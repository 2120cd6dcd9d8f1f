# The configuration of @hostname@: its services, users and packages.
{
  users.users.root.openssh.authorizedKeys.keys = [
    # "ssh-ed25519 AAAA… you@example.internal"
  ];

  # The release this host was installed with; it stays when the host is updated.
  system.stateVersion = "26.05";
}
