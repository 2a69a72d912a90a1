//! The readers: at most four connections, opened when first needed, that cannot write.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::{StoreError, open};

/// Readers at the same time; a fifth waits for one to finish.
const MOST: usize = 4;

pub(crate) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    freed: Condvar,
}

struct Pool {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf) -> Self {
        let pool = Pool {
            idle: Vec::with_capacity(MOST),
            open: 0,
        };
        Self {
            path,
            pool: Mutex::new(pool),
            freed: Condvar::new(),
        }
    }

    /// Runs `work` on one snapshot of the database.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let lease = self.lease()?;
        let in_snapshot = || work(&*lease.connection()?.unchecked_transaction()?);
        in_snapshot().map_err(|error: StoreError| error.at(&self.path))
    }

    fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let mut pool = self.lock();
        loop {
            if let Some(conn) = pool.idle.pop() {
                return Ok(Lease {
                    readers: self,
                    conn: Some(conn),
                });
            }
            if pool.open < MOST {
                pool.open += 1;
                break;
            }
            pool = self
                .freed
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        // Its place is given back by the drop of the lease, also when opening fails.
        let mut lease = Lease {
            readers: self,
            conn: None,
        };
        lease.conn = Some(open::reader(&self.path)?);
        Ok(lease)
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection taken from the pool, given back when dropped.
struct Lease<'pool> {
    readers: &'pool Readers,
    conn: Option<Connection>,
}

impl Lease<'_> {
    fn connection(&self) -> Result<&Connection, StoreError> {
        self.conn.as_ref().ok_or(StoreError::Busy)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.lock();
        match self.conn.take() {
            Some(conn) => pool.idle.push(conn),
            None => pool.open -= 1,
        }
        drop(pool);
        self.readers.freed.notify_one();
    }
}
