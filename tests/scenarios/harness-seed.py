"""The runner itself: cloud-init does what a seed says, once; without a seed it rests."""

beta.seed(
    user_data="""#cloud-config
write_files:
  - path: /etc/environment
    permissions: "0600"
    content: |
      SEEDED=yes
""",
    meta_data="instance-id: beta-1\nlocal-hostname: seeded\n",
)
began = time.monotonic()
beta.wait_for_unit("multi-user.target", timeout=120)
beta.succeed("cloud-init status --wait >&2")
print(f"measured: {'a guest boots, with cloud-init':40} {time.monotonic() - began:6.2f} s")
assert beta.succeed("cat /etc/environment") == "SEEDED=yes\n"
assert beta.succeed("hostname").strip() == "seeded"
assert "error" not in beta.execute("cloud-init status")[1]

with subtest("a reboot does not write the file again"):
    beta.succeed("rm /etc/environment")
    beta.reboot()
    beta.wait_for_unit("multi-user.target", timeout=120)
    beta.succeed("cloud-init status --wait >&2")
    beta.fail("test -e /etc/environment")
