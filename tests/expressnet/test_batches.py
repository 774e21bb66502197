from expressnet import batches, config


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(crops_and_split, tmp_path):
    settings = config.TrainConfig(preset="tiny", epochs=2, batch_size=1, learning_rate=0.1)
    data = batches.Data.read(*crops_and_split, settings, str(tmp_path))
    steps = len(data.train_targets)

    def order(epoch):
        return [float(image.numpy().sum()) for image, _ in data.batches(settings, epoch, steps)]

    assert sorted(order(0)) == sorted(order(1))
    assert order(0) != order(1)
    assert order(1) == order(1)
