"""Power cuts in the middle of fetches and rotations: each boot finds whole sets, and comes up."""

prepare_openbao()
enrol(web01, **WEB01 | {"db": {"username": "v0", "password": "v0"}})
web01.wait_for_unit("app.service", timeout=120)

for cut in range(1, 6):
    put("hosts/web01/db", username=f"v{cut}", password=f"v{cut}")
    web01.execute("systemctl start --no-block vault-secret-rotate-db.service app.service")
    time.sleep(0.03 * cut)
    web01.crash()
    if cut % 2:
        openbao.block()  # what the disk holds must do
    web01.start()
    web01.wait_for_unit("app.service", timeout=120)
    seen = web01.succeed("cat /run/secrets/db/username /run/secrets/db/password")
    half = len(seen) // 2
    assert seen[:half] == seen[half:], f"a mixed set after cut {cut}: {seen}"
    assert seen[:half] in [f"v{cut}", f"v{cut - 1}", "v0"], seen
    openbao.unblock()

web01.succeed("systemctl restart app.service")
assert value(web01, "app") == "v5"
