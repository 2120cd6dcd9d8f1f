//! Edits Nix and HCL text.
