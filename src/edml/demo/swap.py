"""A story of two versions: the second one learns while the first one answers, and takes over."""

from edml.demo.acts import Acts
from edml.demo.children import Child
from edml.demo.report import Report


class Swap(Acts):
    """The second version is trained and published by hand."""

    def all(self) -> Report:
        """One act after the other."""
        first = self.train()
        self.publish(first)
        replay = self.replay()
        second, replay = self._retrain(replay)
        self._swap(first, second)
        return self.settle(replay)

    def _retrain(self, replay: Child) -> tuple[str, Child]:
        """Train a second version in the background; trips flow, but not for ever."""
        story, learnt = self.stage.story, self.commands.split.more
        story.begin("retrain", f"a second version learns from those of {learnt}, in the background")
        training = self.stage.children.start("retrain", self.commands.train(2), politely=True)
        self.stage.follow(training, lambda: self.figures.events >= self.plan.pause_at)
        if not training.ended:
            self.stage.release(replay)
            self.say("paused", "trips wait until the second version has learnt")
            self.stage.follow(training)
            replay = self.stage.need("replay", self.commands.replay())
        version = self.version(2)
        story.done("retrain", f"{version} has learnt from {learnt}")
        return version, replay

    def _swap(self, first: str, second: str) -> None:
        story = self.stage.story
        story.begin("swap", f"{second} is published while trips flow")
        self.stage.run("swap", self.commands.publish(2))
        self.stage.wait(lambda: second in self.figures.loaded, "the second version to be loaded")
        story.note("swap", f"{second} answers now; {first} goes on in its shadow")
        self.stage.wait(
            lambda: self.figures.scored_by(second) >= self.plan.after_swap,
            "the second version's predictions to be scored",
        )
        story.done("swap", f"{second} answers, in place of {first}")
