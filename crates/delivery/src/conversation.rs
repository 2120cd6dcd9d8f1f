//! Several questions to OpenBao over one connection, each within a deadline.

use std::{collections::BTreeMap, time::Duration};

use openbao::{
    Address, AppRoleCredentials, Authentication, Client, Error, Settings, approle, deadline_in, kv,
    retry_until,
};

use crate::{
    LastAnswer, Login, Patience, Refusal,
    error::says_denied,
    question::{judge, worth_another_try},
};

/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// How a host gets at its secrets.
pub struct Access<'a> {
    /// How OpenBao is reached.
    pub settings: Settings,
    /// Who asks.
    pub credentials: AppRoleCredentials,
    /// How to log in.
    pub login: Login,
    /// The mount of the KV version 2 engine.
    pub kv_mount: &'a str,
    /// The mount of the AppRole auth method.
    pub approle_mount: &'a str,
    /// Where it is noted which server answered last.
    pub last_answer: Option<LastAnswer>,
}

impl<'a> Access<'a> {
    /// Begins to ask. Nothing is sent before the first question.
    ///
    /// # Errors
    /// No address, or root certificates that cannot be loaded.
    pub fn open(self, patience: Patience) -> Result<Conversation<'a>, Refusal> {
        let mut client = Client::new(self.settings.clone()).map_err(Refusal::Other)?;
        if self.login != Login::First {
            client.authenticate(Authentication::Inline {
                mount: self.approle_mount.to_owned(),
                credentials: self.credentials.clone(),
            });
        }
        if let Some(address) = self.last_answer.as_ref().and_then(LastAnswer::read) {
            client.prefer(&address);
        }
        Ok(Conversation {
            noted: client.address().clone(),
            must_log_in: self.login == Login::First,
            has_token: false,
            access: self,
            client,
            patience,
        })
    }
}

/// Questions to OpenBao over one connection.
pub struct Conversation<'a> {
    access: Access<'a>,
    client: Client,
    patience: Patience,
    /// The server that the next process begins with.
    noted: Address,
    /// Before the next question.
    must_log_in: bool,
    has_token: bool,
}

impl Conversation<'_> {
    /// A secret's newest version.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn read(&mut self, secret: &str) -> Result<kv::Secret, Refusal> {
        let mount = self.access.kv_mount;
        self.ask(|client| kv::read(client, mount, secret))
    }

    /// What there is in a folder of secrets, with the versions of each.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn list(&mut self, folder: &str) -> Result<BTreeMap<String, kv::SecretMetadata>, Refusal> {
        let mount = self.access.kv_mount;
        self.ask(|client| kv::list_detailed(client, mount, folder))
    }

    /// Asks again with growing pauses while no server can be used.
    fn ask<T>(&mut self, question: impl Fn(&Client) -> Result<T, Error>) -> Result<T, Refusal> {
        let deadline = deadline_in(self.patience.deadline);
        self.client.set_deadline(Some(deadline));
        let has_copy = self.patience.has_copy;
        let worth = |error: &Error| worth_another_try(error, has_copy);
        let answer = retry_until(deadline, PAUSES, worth, || self.ask_once(&question));
        self.note();
        answer.map_err(|error| judge(error, &self.client))
    }

    /// Notes which server answered, where that is another than before.
    fn note(&mut self) {
        let answered = self.client.address();
        if self.noted == *answered {
            return;
        }
        self.noted = answered.clone();
        if let Some(note) = &self.access.last_answer {
            note.write(answered);
        }
    }

    fn ask_once<T>(&mut self, question: impl Fn(&Client) -> Result<T, Error>) -> Result<T, Error> {
        if self.must_log_in {
            self.log_in()?;
        }
        match question(&self.client) {
            Err(Error::Denied { refusal, .. })
                // a server before 2.4 does not know the headers of inline authentication
                if self.access.login == Login::Auto && !self.has_token && says_denied(&refusal) =>
            {
                self.must_log_in = true;
                self.log_in()?;
                question(&self.client)
            }
            result => result,
        }
    }

    fn log_in(&mut self) -> Result<(), Error> {
        let Access {
            approle_mount,
            credentials,
            ..
        } = &self.access;
        let token = approle::login(&self.client, approle_mount, credentials)?;
        self.client.authenticate(Authentication::Token(token));
        (self.must_log_in, self.has_token) = (false, true);
        Ok(())
    }
}
