from expressnet import batches, config


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(crops_and_split, tmp_path):
    settings = config.TrainConfig(preset="tiny", epochs=2, batch_size=1, learning_rate=0.1)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))

    def order(epoch, first_step=0):
        return [float(image.numpy().sum()) for image, _ in data.batches(settings, epoch, first_step)]

    assert len(order(0)) == data.steps(settings) == len(data.train_ids) == 42
    assert sorted(order(0)) == sorted(order(1))
    assert order(0) != order(1)
    assert order(1) == order(1)
    assert order(1, first_step=40) == order(1)[40:]


def test_what_is_left_after_whole_batches_is_left_out_of_an_epoch_and_comes_in_another(crops_and_split, tmp_path):
    settings = config.TrainConfig(preset="tiny", epochs=2, batch_size=16, learning_rate=0.1)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    shown = [data.order(settings, epoch) for epoch in range(6)]
    assert {order.shape for order in shown} == {(2, 16)}
    assert len({int(place) for order in shown for place in order.ravel()}) == 42


def test_a_step_is_augmented_alike_wherever_the_epoch_begins(crops_and_split, tmp_path):
    settings = config.TrainConfig(
        preset="tiny", epochs=1, batch_size=8, learning_rate=0.1, augment=config.AugmentConfig()
    )
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    whole = [images.numpy() for images, _ in data.batches(settings, 0)]
    rest = [images.numpy() for images, _ in data.batches(settings, 0, 3)]
    assert len(rest) == 2
    assert all((one == other).all() for one, other in zip(whole[3:], rest, strict=True))
