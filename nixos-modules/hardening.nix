# The sandbox of this project's units. What a unit writes to is its own to add (ReadWritePaths).
{
  # The unit may use the machine's TPM2 chip, for systemd-creds.
  tpm2 ? false,
  # The limit of the unit's memory. A faulty program ends before the machine runs out of memory. The
  # default suffices for the largest responses of OpenBao that are read (64 MiB) and for their
  # files.
  memory ? "1G",
  # The numbers of users and groups that exist in the unit: with `identity`, those up to 65535.
  users ? "identity",
}:
{
  # The capabilities for giving files to their owners and replacing folders that belong to them,
  # which root without further rights cannot do.
  CapabilityBoundingSet = [
    "CAP_CHOWN"
    "CAP_DAC_OVERRIDE"
    "CAP_FOWNER"
  ];
  BindPaths = if tpm2 then [ "-/dev/tpmrm0" ] else [ ];
  DeviceAllow = if tpm2 then [ "/dev/tpmrm0 rw" ] else [ ];
  DevicePolicy = "closed";
  KeyringMode = "private";
  LimitCORE = 0;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  MemoryMax = memory;
  NoNewPrivileges = true;
  PrivateDevices = true;
  PrivateMounts = true;
  PrivateTmp = true;
  # Its rights are good for files only, and mean nothing to the rest of the system.
  PrivateUsers = users;
  ProcSubset = "pid";
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  RemoveIPC = true;
  RestrictAddressFamilies = [
    "AF_INET"
    "AF_INET6"
  ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [
    "@system-service"
    "~@privileged @resources"
    "@chown"
  ];
  UMask = "0077";
}
