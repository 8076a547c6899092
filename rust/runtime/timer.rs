//! One timer per connection, moved only when a deadline comes nearer than what is armed.
//!
//! A request sets several deadlines and meets nearly all of them. Arming the runtime's wheel for
//! each would cost more than routing. So a later deadline is only noted: the timer fires at the
//! earlier time, sees that nothing is due and goes on to the noted one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::clock;

/// Where a timer sleeps when nothing is due; any deadline is nearer.
const FAR: Duration = Duration::from_hours(24);

/// A lazily armed timer.
#[derive(Debug)]
pub struct Timer {
    sleep: RefCell<Option<Pin<Box<Sleep>>>>,
    armed: Cell<Instant>,
    /// The task that the sleep wakes; a connection has one for life.
    waker: RefCell<Option<Waker>>,
}

/// When something moved last, known to within one turn of a task: a turn notes that bytes moved,
/// and the clock is read once, when the turn ends and has to wait.
#[derive(Debug)]
pub struct Movement {
    moved: Cell<bool>,
    last: Cell<Instant>,
}

impl Movement {
    /// Nothing moved since `start`.
    pub fn since(start: Instant) -> Self {
        Self {
            moved: Cell::new(false),
            last: Cell::new(start),
        }
    }

    /// Something moves now.
    pub fn mark(&self) {
        self.moved.set(true);
    }

    /// When something moved last.
    pub fn last(&self) -> Instant {
        if self.moved.replace(false) {
            self.last.set(clock::now());
        }
        self.last.get()
    }
}

/// The deadline passed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl Default for Timer {
    fn default() -> Self {
        Self {
            sleep: RefCell::new(None),
            armed: Cell::new(clock::now()),
            waker: RefCell::new(None),
        }
    }
}

impl Timer {
    /// Ready once `deadline` has passed; registers the task's waker otherwise.
    pub fn poll_expired(&self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let mut slot = self.sleep.borrow_mut();
        let mut waker = self.waker.borrow_mut();
        let known = waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if known
            && deadline >= self.armed.get()
            && slot.as_ref().is_some_and(|sleep| !sleep.is_elapsed())
        {
            // Armed early enough, registered and not fired: polling it would change nothing.
            return Poll::Pending;
        }
        if !known {
            *waker = Some(cx.waker().clone());
        }
        let sleep = slot.get_or_insert_with(|| {
            self.armed.set(deadline);
            Box::pin(tokio::time::sleep_until(deadline.into()))
        });
        if deadline < self.armed.get() {
            self.armed.set(deadline);
            sleep.as_mut().reset(deadline.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            let now = clock::now();
            if now >= deadline {
                // Left fired, the sleep would be ready again at once; the next deadline arms it.
                self.armed.set(now + FAR);
                sleep.as_mut().reset((now + FAR).into());
                return Poll::Ready(());
            }
            self.armed.set(deadline);
            sleep.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }

    /// Runs `future` until the deadline that `deadline` gives at each look; `None` is no deadline.
    ///
    /// # Errors
    /// `Elapsed` when the deadline passed first; the future is dropped then.
    ///
    /// It takes a reference, since a future handed over by value would be stored twice.
    pub async fn watch<F: Future>(
        &self,
        deadline: impl Fn() -> Option<Instant>,
        mut future: Pin<&mut F>,
    ) -> Result<F::Output, Elapsed> {
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            match deadline() {
                Some(deadline) => self.poll_expired(cx, deadline).map(|()| Err(Elapsed)),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Runs `future` until a fixed deadline.
    ///
    /// # Errors
    /// `Elapsed` when the deadline passed first.
    pub async fn until<F: Future>(
        &self,
        deadline: Option<Instant>,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        self.watch(|| deadline, pin!(future)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[test]
    fn a_nearer_deadline_is_met_and_a_later_one_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (timer, start) = (Timer::default(), clock::now());
            for wait in [40, 10, 25].map(Duration::from_millis) {
                let begun = clock::now();
                let outcome = timer.until(Some(begun + wait), pending::<()>()).await;
                assert_eq!(outcome, Err(Elapsed));
                assert!(clock::now() - begun >= wait);
            }
            assert!(clock::now() - start < Duration::from_secs(20));
            let done = timer.until(Some(clock::now() + FAR), async { 7 }).await;
            assert_eq!(done, Ok(7));
        });
    }
}
