//! OpenTofu with the Vault provider, which no registry of packages holds.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{ScratchDir, find, scratch_dir};

/// The version that the provider stands under in the mirror, whatever its own is.
const VERSION: &str = "5.7.0";

/// OpenTofu, and a configuration with which it finds the provider `hashicorp/vault`.
#[derive(Debug)]
pub struct OpenTofu {
    program: PathBuf,
    configuration: PathBuf,
    _mirror: ScratchDir,
}

impl OpenTofu {
    /// The `tofu` of [`find`], and the provider: as `TF_CLI_CONFIG_FILE` says, else `terraform-provider-vault` of
    /// [`find`].
    ///
    /// # Errors
    /// What is not there, to skip a test with.
    pub fn find() -> Result<Self, &'static str> {
        let program = find("tofu", "TOFU").ok_or("no tofu on this machine")?;
        let mirror = scratch_dir();
        let named = env::var_os("TF_CLI_CONFIG_FILE").map(PathBuf::from);
        let configuration = if let Some(named) = named.filter(|file| file.is_file()) {
            named
        } else {
            let provider = find("terraform-provider-vault", "TERRAFORM_PROVIDER_VAULT");
            let provider = provider.ok_or("no provider hashicorp/vault on this machine")?;
            write_mirror(&mirror, &provider)
        };
        Ok(Self {
            program,
            configuration,
            _mirror: mirror,
        })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The file for `TF_CLI_CONFIG_FILE`.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// The program in `folder`, without a terminal.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("-chdir={}", folder.display()))
            .env("TF_CLI_CONFIG_FILE", &self.configuration)
            .env("TF_INPUT", "0");
        command
    }

    /// `tofu init`: whether it succeeded, which takes a mirror that has the provider.
    pub fn init(&self, folder: &Path) -> bool {
        let output = self.command(folder).arg("init").output();
        output.expect("`tofu` runs").status.success()
    }
}

/// The folder that OpenTofu takes providers from (its page "CLI configuration", `filesystem_mirror`).
fn write_mirror(folder: &Path, provider: &Path) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let place = folder.join(format!(
        "registry.opentofu.org/hashicorp/vault/{VERSION}/linux_{architecture}"
    ));
    fs::create_dir_all(&place).expect("a mirror is made");
    let file = place.join(format!("terraform-provider-vault_v{VERSION}"));
    fs::copy(provider, file).expect("the provider is copied");
    let configuration = folder.join("tofurc");
    let text = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        folder.display()
    );
    fs::write(&configuration, text).expect("the configuration is written");
    configuration
}
