{ self, deploy-rs, ... }:
{
  deploy.nodes.db01 = {
    hostname = "10.0.0.3";
    profiles.system = {
      user = "root";
      sshUser = "root";
      path = deploy-rs.lib.x86_64-linux.activate.nixos self.nixosConfigurations.db01;
    };
  };
}
