# The sandbox of the server's helpers: that of the hosts' units.
import ../hardening.nix { }
