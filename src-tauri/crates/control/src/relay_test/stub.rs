use super::*;
use server::deliver::link::Watch;
pub(super) trait Extra {
    fn certificate(&self) -> Option<&[u8]>;
    async fn probe(
        &mut self,
        sender: &ReversePath,
        to: &Address,
        wait: Duration,
        watch: Watch<'_>,
    ) -> Result<(), Trouble>;
    async fn quit_watched(self, wait: Duration, watch: Watch<'_>);
}
impl Extra for Link {
    fn certificate(&self) -> Option<&[u8]> {
        None
    }
    async fn probe(
        &mut self,
        _: &ReversePath,
        _: &Address,
        _: Duration,
        _: Watch<'_>,
    ) -> Result<(), Trouble> {
        Ok(())
    }
    async fn quit_watched(self, _: Duration, _: Watch<'_>) {
        self.quit().await
    }
}
