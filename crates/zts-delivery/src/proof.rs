//! The end of a rollout, for the copies: the version is proven or rejected.
//!
//! A rename and a removal do that, because neither needs room on the disk.

use std::{fs, io};

use zts_secure_fs::{Folder, Lock};

use crate::{
    Cache, CachedCopyState, DeployedVersion, Proof, error::Error, private_file::lock_folder,
};

impl Cache {
    /// Makes the copy of this version the proven one. Removes the unproven one of another version.
    ///
    /// # Errors
    /// The system's errors.
    pub fn prove(&self, version: &DeployedVersion) -> Result<(), Error> {
        let Some((folder, _lock)) = self.lock_unproven()? else {
            return Ok(());
        };
        let mut of_version = None;
        for proof in [Proof::Unproven, Proof::Replaced] {
            if of_version.is_none() && self.is_copy_of(proof, version)? {
                of_version = Some(proof);
            }
        }
        if let Some(proof) = of_version {
            self.rename(proof, Proof::Proven)
                .map_err(|cause| Error::io("rename", &self.file(proof), cause))?;
            self.remove_own(Proof::Replaced)?;
        }
        self.remove_own(Proof::Unproven)?;
        Ok(folder.flush()?)
    }

    /// Removes the copy of a version that was rolled back. The copy to which the roll-back led
    /// stays.
    ///
    /// # Errors
    /// The system's errors.
    pub fn reject(&self, version: &DeployedVersion) -> Result<(), Error> {
        let Some(_locked) = self.lock_unproven()? else {
            return Ok(());
        };
        if self.is_copy_of(Proof::Unproven, version)? {
            self.remove_own(Proof::Unproven)?;
        }
        if self.has_any([Proof::Replaced]) && !self.has_any([Proof::Unproven, Proof::Proven]) {
            self.rename(Proof::Replaced, Proof::Unproven)
                .map_err(|cause| Error::io("rename", &self.file(Proof::Replaced), cause))?;
        }
        Ok(())
    }

    /// Locks the folder. `None` where all that it may hold is a proven copy.
    fn lock_unproven(&self) -> Result<Option<(Folder, Lock)>, Error> {
        if !self.has_any([Proof::Unproven, Proof::Replaced]) {
            return Ok(None);
        }
        lock_folder(self.folder())
    }

    /// Returns whether there is one of these copies, usable or not.
    pub(crate) fn has_any<const N: usize>(&self, proofs: [Proof; N]) -> bool {
        let absent = |proof| match fs::symlink_metadata(self.file(proof)) {
            Ok(_) => false,
            Err(cause) => cause.kind() == io::ErrorKind::NotFound,
        };
        !proofs.into_iter().all(absent)
    }

    fn is_copy_of(&self, proof: Proof, version: &DeployedVersion) -> Result<bool, Error> {
        let copy = self.try_inspect(proof)?;
        Ok(matches!(copy, CachedCopyState::Usable(copy, _) if copy.is_deployed(version)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zts_openbao::kv;
    use zts_testkit::ScratchDir;

    use super::*;
    use crate::{SealPolicy, SecretIdentity, SecretRef, Source};

    fn secret(path: &str) -> SecretIdentity {
        SecretIdentity::new(None, SecretRef::in_kv(path))
    }

    fn version_one() -> kv::SecretVersion {
        let metadata = json!({ "version": 1, "created_time": "2026-01-01T00:00:00Z" });
        let version = json!({ "data": { "password": "hunter2" }, "metadata": metadata });
        serde_json::from_value(version).unwrap()
    }

    /// Returns whether an unproven copy remains after `act` of a process for which the folder is
    /// another secret's.
    fn remains_after(act: impl Fn(&Cache, &DeployedVersion)) -> bool {
        let folder: ScratchDir = zts_testkit::scratch_dir();
        let cache = |path| {
            let mut cache = Cache::new(folder.join("db"), secret(path));
            cache.seal = SealPolicy::Never;
            cache
        };
        let (before, after) = (cache("hosts/web01/before"), cache("hosts/web01/after"));
        let _ = after.store(&version_one(), Proof::Unproven).unwrap();
        let created = version_one().metadata.created_time;
        let identity = secret("hosts/web01/before");
        let deployed = DeployedVersion::now(&identity, 1, &created, Source::OpenBao);
        act(&before, &deployed);
        matches!(after.read(), CachedCopyState::Usable(..))
    }

    #[test]
    fn a_process_from_before_a_switch_removes_no_copy_of_the_secret_declared_since() {
        assert!(remains_after(|before, deployed| before
            .prove(deployed)
            .unwrap()));
        assert!(remains_after(|before, deployed| before
            .reject(deployed)
            .unwrap()));
        assert!(remains_after(|before, _| before.remove_copies().unwrap()));
    }
}
