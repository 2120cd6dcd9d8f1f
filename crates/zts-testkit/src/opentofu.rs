//! OpenTofu with the Vault provider, which no package registry offers.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    program::find_program,
    scratch::{ScratchDir, scratch_dir},
};

/// The provider's version in the mirror, which need not be its real one.
const VERSION: &str = "5.7.0";

/// OpenTofu and a configuration with which it finds the provider `hashicorp/vault`.
#[derive(Debug)]
pub struct OpenTofu {
    program: PathBuf,
    configuration: PathBuf,
    _mirror: ScratchDir,
}

impl OpenTofu {
    /// Finds `tofu` and the provider, by [`find_program`]. A `TF_CLI_CONFIG_FILE` in the
    /// environment is used instead of a provider.
    ///
    /// # Errors
    /// The missing program, as a reason to skip a test.
    pub fn find() -> Result<Self, &'static str> {
        let program = find_program("tofu").ok_or("no tofu on this machine")?;
        let mirror = scratch_dir();
        let named = env::var_os("TF_CLI_CONFIG_FILE").map(PathBuf::from);
        let configuration = if let Some(named) = named.filter(|file| file.is_file()) {
            named
        } else {
            let provider = find_program("terraform-provider-vault");
            let provider = provider.ok_or("no provider hashicorp/vault on this machine")?;
            write_mirror(&mirror, &provider)
        };
        Ok(Self {
            program,
            configuration,
            _mirror: mirror,
        })
    }

    /// Returns the program's path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the file for `TF_CLI_CONFIG_FILE`.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// Returns a command that runs in `folder` without prompts.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("-chdir={}", folder.display()))
            .env("TF_CLI_CONFIG_FILE", &self.configuration)
            .env("TF_INPUT", "0");
        command
    }

    /// Runs `tofu init` and returns whether it succeeded, which needs a mirror with the provider.
    pub fn init(&self, folder: &Path) -> bool {
        let output = self.command(folder).arg("init").output();
        output.expect("`tofu` runs").status.success()
    }
}

/// Writes a mirror with the provider and a configuration that names it (OpenTofu's page
/// "CLI configuration", `filesystem_mirror`). Returns the configuration's path.
fn write_mirror(folder: &Path, provider: &Path) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let platform = folder.join(format!(
        "registry.opentofu.org/hashicorp/vault/{VERSION}/linux_{architecture}"
    ));
    fs::create_dir_all(&platform).expect("a mirror is created");
    let file = platform.join(format!("terraform-provider-vault_v{VERSION}"));
    fs::copy(provider, file).expect("the provider is copied");
    let configuration = folder.join("tofurc");
    let text = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        folder.display()
    );
    fs::write(&configuration, text).expect("the configuration is written");
    configuration
}
