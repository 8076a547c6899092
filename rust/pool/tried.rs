//! What a request brings to the choice of its endpoint: where it wants to go, and where it has been.

use std::rc::Rc;

use smallvec::SmallVec;

/// Where a request wants to go. Apart from the request's state, since few have such a wish.
#[derive(Debug, Default)]
pub struct Aim {
    /// Of the request's key, where the cluster goes by keys.
    pub hash: Option<u64>,
    /// The endpoint of the request's session.
    pub wish: Wish,
}

/// An endpoint that a request wants, by its index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wish {
    /// Any will do.
    #[default]
    None,
    /// This one while it is available, else any.
    Rather(usize),
    /// This one or none; it may be gone.
    Only(Option<usize>),
}

impl Wish {
    /// The endpoint that it is for, where there is one.
    pub(super) const fn index(self) -> Option<usize> {
        match self {
            Self::None | Self::Only(None) => None,
            Self::Rather(index) | Self::Only(Some(index)) => Some(index),
        }
    }
}

/// Endpoints that a request has tried already, and its wish.
#[derive(Debug, Default)]
pub struct Tried {
    endpoints: SmallVec<[u32; 4]>,
    pub(super) aim: Option<Rc<Aim>>,
}

impl Tried {
    /// None yet, of a request with this wish.
    pub fn aiming(aim: Option<Rc<Aim>>) -> Self {
        Self {
            endpoints: SmallVec::new(),
            aim,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether none.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        self.endpoints.iter().any(|tried| *tried as usize == index)
    }

    pub(super) fn add(&mut self, index: usize) {
        // No cluster has as many endpoints as would not fit.
        self.endpoints
            .push(u32::try_from(index).unwrap_or(u32::MAX));
    }
}
